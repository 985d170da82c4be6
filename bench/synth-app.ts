/** An endpoint for the model folders given, or without any a plain function and API of aws-cdk-lib, for `main-job` to compare. */
import { join } from 'node:path';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Architecture, Code, Function as LambdaFunction, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Stack } from 'aws-cdk-lib/core';
import { onnxruntimeLayerFolder } from '../lib/artifact/onnxruntime-package.js';
import { InferenceEndpoint, Model } from '../lib/constructs/index.js';

const root = join(import.meta.dirname, '..');
const app = new App();
const stack = new Stack(app, 'Bench');
const models = process.argv.slice(2);
if (models.length > 0) {
  new InferenceEndpoint(stack, 'Vision', {
    models: models.map((path) => Model.fromDirectory(path)),
    architecture: Architecture.ARM_64,
  });
} else {
  const handler = new LambdaFunction(stack, 'Function', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: Code.fromAsset(join(root, 'dist/functions/predict')),
    layers: [new LayerVersion(stack, 'OnnxRuntime', { code: Code.fromAsset(onnxruntimeLayerFolder('arm64')) })],
  });
  const integration = new HttpLambdaIntegration('Integration', handler);
  new HttpApi(stack, 'Api').addRoutes({ path: '/predict/faces', methods: [HttpMethod.POST], integration });
}
app.synth();
