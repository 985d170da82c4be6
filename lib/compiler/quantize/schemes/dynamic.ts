/**
 * Activations quantized at run time: MatMul and Gemm in the form that onnxruntime fuses into DynamicQuantizeMatMul or
 * MatMulIntegerToFloat, LSTM as com.microsoft.DynamicQuantizeLSTM.
 */
import type { DynamicRecipe } from '../../../artifact/recipe.js';
import type { SchemeRewrite } from '../scheme.js';
import { acceptedBy, type ConstantWeight, releaseWeights } from './constant-weight.js';
import { DynamicLstms, lstmRefusal } from './dynamic-lstm.js';
import { DynamicProducts, productRefusal } from './dynamic-product.js';

export const dynamicScheme: SchemeRewrite<DynamicRecipe> = {
  scheme: 'int8-dynamic',
  opsets: { '': 11, 'com.microsoft': 1 },

  refusal(node) {
    if (node.is('MatMul', 'Gemm')) return productRefusal(node);
    if (node.is('LSTM')) return lstmRefusal(node);
    if (node.is('Conv', 'ConvTranspose')) {
      return `${node.describe()} would become ConvInteger, which is several times slower than float32`;
    }
    return `onnxruntime has no ${node.opType} that quantizes its input at run time`;
  },

  activations: () => [],

  rewrite(assignments, context) {
    const { accepted, declined } = acceptedBy(dynamicScheme, assignments, context.model);
    const products = new DynamicProducts(context, declined);
    const lstms = new DynamicLstms(context);
    const released = new Set<ConstantWeight>();
    for (const { node, recipe } of accepted) {
      const rewrites = node.is('LSTM') ? lstms : products;
      for (const weight of rewrites.rewrite(node, recipe)) released.add(weight);
    }
    releaseWeights(released);
    return declined;
  },
};
