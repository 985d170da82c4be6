/** The Python environment with safetensors' own implementation: the oracle of tests. */
export const SAFETENSORS_REQUIREMENTS = ['safetensors==0.8.0', 'numpy==2.4.6'] as const;
