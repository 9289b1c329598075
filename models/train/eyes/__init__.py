"""The training recipe of the default detector: labelled pictures in, an ONNX model with its manifest and card out."""
