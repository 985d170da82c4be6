/** moto from PyPI: AWS's services in a process of Python, behind boto3, which holds every request against AWS's own description of it. */
export const MOTO = ['moto[sagemaker,applicationautoscaling,cloudwatch,iam,s3]==5.2.5'];
