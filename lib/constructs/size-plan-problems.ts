import { formatBytes, type SizePlan } from '../artifact/size-plan.js';
import type { Problem } from './problems.js';

/** Why a model cannot be deployed as a layer, with the numbers; none for a model that fits or whose size is not known yet. */
export function sizePlanProblems(modelName: string, plan: SizePlan | undefined): Problem[] {
  if (plan === undefined || plan.kind === 'layer') return [];
  if (plan.kind === 's3') {
    return [
      {
        code: 'MODEL_ABOVE_LAYER_LIMIT',
        message: `The model ${modelName} does not fit into a layer: ${plan.reason}`,
        advice:
          'Loading a model from S3 is not supported. Store the weights in half precision ("weights": "fp16" in model.json), ' +
          'or use a smaller model.',
      },
    ];
  }
  return [
    {
      code: 'MODEL_TOO_LARGE',
      message: `The model ${modelName} does not fit into a Lambda function: ${plan.reason}`,
      advice: `What fits is at most ${formatBytes(plan.maxModelBytes)}: use a smaller model.`,
    },
  ];
}
