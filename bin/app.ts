/**
 * The example: a face detector, and a classifier of clothes that Keras trained, behind HTTPS. `npm start` serves them on this machine,
 * `npx cdk deploy` takes them to AWS.
 * `-c architecture=x86_64` builds it for that processor in place of arm64.
 */
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { App, Stack } from 'aws-cdk-lib/core';
import { InferenceEndpoint, Model } from '../lib/index.js';

const app = new App();
const architecture = String(app.node.tryGetContext('architecture') ?? 'arm64');

// Without `env` the stack deploys to whatever account and region the credentials are for.
const stack = new Stack(app, 'CdkOnnxExample', {
  description: 'A face detector and a classifier of clothes behind HTTPS (cdk-onnx example)',
});

new InferenceEndpoint(stack, 'Vision', {
  models: [Model.fromDirectory('models/faces'), Model.fromDirectory('models/fashion')],
  architecture: Architecture.custom(architecture),
});

app.synth();
