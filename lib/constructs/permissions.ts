/**
 * Every IAM action that these constructs put into a policy. Resources are one ARN wherever AWS knows one; the two that it does not
 * (X-Ray, network interfaces) are statements of their own, with the reason beside them.
 */

/** What a function does in its own log group; the group itself is created by the stack. */
export const WRITE_LOGS = ['logs:CreateLogStream', 'logs:PutLogEvents'];

/** What active tracing needs: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html. X-Ray has no resource to name. */
export const WRITE_TRACES = ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'];

/**
 * What Lambda itself, with the function's role, does for a function in a VPC:
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html. The interfaces do not exist yet, and
 * `Describe…` knows no resources; Lambda refuses a role that names some.
 */
export const MANAGE_NETWORK_INTERFACES = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/** What loading weights from S3 needs, on the one object that holds them. */
export const READ_OBJECT = ['s3:GetObject'];

/** And on the key of its bucket, where that is one of the user's. */
export const DECRYPT_OBJECT = ['kms:Decrypt'];

/** What the service CloudWatch Logs does with the key of a log group. */
export const ENCRYPT_LOGS = ['kms:Decrypt*', 'kms:Describe*', 'kms:Encrypt*', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'];

/** On the ARN of an alias, and so on what it points to alone; on a function's, or on `<function's ARN>:*`, its versions and aliases. */
export const INVOKE_FUNCTION = ['lambda:InvokeFunction'];

/** On a function's ARN. */
export const LIST_VERSIONS = ['lambda:ListAliases', 'lambda:ListVersionsByFunction'];

/**
 * Only ever on `<function's ARN>:*`, which every version's ARN matches and the function's own does not: without a qualifier
 * DeleteFunction is a call on the function's ARN, so the function as a whole cannot be deleted with it. With the qualifier `$LATEST`
 * Lambda refuses it. https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
 */
export const DELETE_FUNCTION_VERSIONS = ['lambda:DeleteFunction'];

/** On `<layer's ARN>:*`. Functions that have such a layer version keep it; they can only not be given it anew. */
export const DELETE_LAYER_VERSIONS = ['lambda:DeleteLayerVersion'];

/** What SageMaker does in an endpoint's log group, with the endpoint's role; the group itself is created by the stack. */
export const WRITE_ENDPOINT_LOGS = ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'];

/** How SageMaker publishes what an endpoint's instances do. CloudWatch has no resource to name, but a namespace. */
export const PUBLISH_INSTANCE_METRICS = ['cloudwatch:PutMetricData'];

/** ECR gives a token for a registry as a whole. */
export const LOG_IN_TO_ECR = ['ecr:GetAuthorizationToken'];

/** On the one repository that has the image. */
export const PULL_IMAGE = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];

/** On objects below a prefix. */
export const WRITE_OBJECT = ['s3:PutObject'];

/** Results of asynchronous requests may be large, and are uploaded in parts. */
export const WRITE_RESULT = ['s3:AbortMultipartUpload', 's3:PutObject'];

/** On the key of what is written. */
export const ENCRYPT_OBJECT = ['kms:GenerateDataKey'];

/** On the topics that are told of results. */
export const PUBLISH_TO_TOPIC = ['sns:Publish'];

/** What SageMaker does for an endpoint in a VPC, on its subnets and security groups and on interfaces, which do not exist yet. */
export const CREATE_ENDPOINT_INTERFACES = ['ec2:CreateNetworkInterface', 'ec2:CreateNetworkInterfacePermission'];

/** And on interfaces when instances go. */
export const DELETE_ENDPOINT_INTERFACES = ['ec2:DeleteNetworkInterface', 'ec2:DeleteNetworkInterfacePermission'];

/** `Describe…` knows no resources. */
export const DESCRIBE_NETWORK = [
  'ec2:DescribeDhcpOptions',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeSubnets',
  'ec2:DescribeVpcs',
];

/** On a deployment group's ARN. */
export const REPORT_HOOK_STATUS = ['codedeploy:PutLifecycleEventHookExecutionStatus'];

/** What AWSCodeDeployRoleForLambdaLimited has of Lambda, on the function and its alias in place of all functions. */
export const SHIFT_TRAFFIC = ['lambda:GetAlias', 'lambda:GetProvisionedConcurrencyConfig', 'lambda:UpdateAlias'];

/** On all alarms of the account in the region, whichever are asked for. */
export const DESCRIBE_ALARMS = ['cloudwatch:DescribeAlarms'];

/** On a bucket, under a prefix. */
export const LIST_OBJECTS = ['s3:ListBucket'];

/** On an endpoint's ARN: requests that are answered at once. */
export const INVOKE_ENDPOINT = ['sagemaker:InvokeEndpoint'];

/** On an endpoint's ARN: requests that are objects in S3. */
export const INVOKE_ENDPOINT_ASYNC = ['sagemaker:InvokeEndpointAsync'];
