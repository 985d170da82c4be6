import {
  type JsonSchema,
  JsonSchemaType,
  JsonSchemaVersion,
  type MethodOptions,
  type Model,
  type RequestValidator,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Route } from './routes.js';

const JSON_TYPE = 'application/json';

/** https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md, "Inference Request" */
const V2_REQUEST: JsonSchema = {
  schema: JsonSchemaVersion.DRAFT4,
  title: 'inference request',
  type: JsonSchemaType.OBJECT,
  required: ['inputs'],
  properties: {
    id: { type: JsonSchemaType.STRING },
    parameters: { type: JsonSchemaType.OBJECT },
    inputs: {
      type: JsonSchemaType.ARRAY,
      minItems: 1,
      items: {
        type: JsonSchemaType.OBJECT,
        required: ['name', 'shape', 'datatype'],
        properties: {
          name: { type: JsonSchemaType.STRING },
          shape: { type: JsonSchemaType.ARRAY, items: { type: JsonSchemaType.INTEGER, minimum: 0 } },
          datatype: { type: JsonSchemaType.STRING },
          parameters: { type: JsonSchemaType.OBJECT },
        },
      },
    },
    outputs: {
      type: JsonSchemaType.ARRAY,
      items: {
        type: JsonSchemaType.OBJECT,
        required: ['name'],
        properties: { name: { type: JsonSchemaType.STRING }, parameters: { type: JsonSchemaType.OBJECT } },
      },
    },
  },
};

/** https://www.tensorflow.org/tfx/serving/api_rest, "Predict API" */
const TENSORFLOW_REQUEST: JsonSchema = {
  schema: JsonSchemaVersion.DRAFT4,
  title: 'TensorFlow Serving predict request',
  type: JsonSchemaType.OBJECT,
  properties: {
    signature_name: { type: JsonSchemaType.STRING },
    instances: { type: JsonSchemaType.ARRAY, minItems: 1 },
  },
  oneOf: [{ required: ['instances'] }, { required: ['inputs'] }],
};

/** Checks that API Gateway makes before it invokes a function. */
export class RestRequestValidation {
  private readonly validator: RequestValidator;
  private readonly v2Request: Model;
  private readonly tensorFlowRequest: Model;

  constructor(api: RestApi) {
    this.validator = api.addRequestValidator('RequestValidator', {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    this.v2Request = api.addModel('V2Request', { contentType: JSON_TYPE, schema: V2_REQUEST });
    this.tensorFlowRequest = api.addModel('TensorFlowRequest', { contentType: JSON_TYPE, schema: TENSORFLOW_REQUEST });
  }

  /** A body of a type that has no model passes: tensors and pictures. */
  methodOptions({ method, path }: Route): MethodOptions {
    if (method !== 'POST') return {};
    const requestValidator = this.validator;
    // An upload that begins has no body, one that is done neither.
    if (/^\/v2\/models\/[^/]+\/jobs(?:\/|$)/.test(path)) return {};
    if (path.startsWith('/predict/')) {
      return { requestValidator, requestParameters: { 'method.request.header.Content-Type': true } };
    }
    const model = path.startsWith('/v1/') ? this.tensorFlowRequest : this.v2Request;
    return { requestValidator, requestModels: { [JSON_TYPE]: model } };
  }
}
