//! Values that a manifest writes as one of a few words.

/// An enum whose variants are words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
        impl $name {
            /// Every word that a manifest may write.
            pub const WORDS: &[&str] = &[$($word,)*];
            /// The word for it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
            /// What the word stands for.
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words! {
    /// How the outputs are read. Boxes are in pixels of the input, padding included, where nothing else is said.
    Family {
        /// One output `[n, cells, 5 + labels]`: boxes as offsets in the cells of a grid (YOLOX without its
        /// decoding).
        YoloxGrid = "yolox_grid",
        /// One output `[n, rows, 5 + labels]`: centre x, y, width, height, objectness, labels (YOLOv5, YOLOv7,
        /// and YOLOX with its decoding).
        Yolov5 = "yolov5",
        /// One output `[n, 4 + labels, rows]`: centre x, y, width, height, labels (YOLOv8, v9, 11, 12).
        Yolov8 = "yolov8",
        /// One output `[n, rows, 6]`: x0, y0, x1, y1, score, label (YOLOv10, YOLO26, and any export with its
        /// suppression inside).
        EndToEnd = "end_to_end",
        /// Three outputs: boxes `[n, rows, 4]`, scores `[n, rows]`, labels `[n, rows]` (RT-DETR, D-FINE).
        Detr = "detr",
        /// Boxes `[n, rows, 4]` and scores `[n, rows, labels]`; or, with `output.labels`, as TensorFlow's
        /// exports with suppression inside have it: boxes, scores `[n, rows]`, labels `[n, rows]`, count `[n]`.
        Ssd = "ssd",
    }
}
words! {
    /// What the numbers of a classifier's output are.
    Kind {
        /// Shares of all labels that add up to 1.
        Softmax = "softmax",
        /// Numbers of which a softmax makes such shares.
        Logits = "logits",
        /// A probability for each label by itself.
        Sigmoid = "sigmoid",
    }
}
words! {
    /// Where the model runs. One that is not there is an error, and replaced only by one that the manifest
    /// names after it.
    Provider {
        /// ONNX Runtime's own CPU kernels.
        Cpu = "cpu",
        /// NVIDIA's GPUs.
        Cuda = "cuda",
        /// NVIDIA's GPUs by engines that are built for the model when it is opened.
        TensorRt = "tensorrt",
        /// OpenVINO on the CPU, any x86 one, in f32.
        OpenVino = "openvino",
        /// OpenVINO on the CPU, in bfloat16 where the CPU has instructions for it (AVX-512 BF16, AMX).
        OpenVinoBf16 = "openvino_bf16",
    }
}
words! {
    /// Whether one run takes one picture or several.
    Batch {
        /// First dimension 1.
        Static = "static",
        /// First dimension free.
        Dynamic = "dynamic",
    }
}
words! {
    /// Order of the input's axes.
    Layout {
        /// `[N, 3, H, W]`.
        Nchw = "nchw",
        /// `[N, H, W, 3]`.
        Nhwc = "nhwc",
    }
}
words! {
    /// Order of the colour channels.
    Colour {
        /// Blue first, as OpenCV has it.
        Bgr = "bgr",
        /// Red first.
        Rgb = "rgb",
    }
}
words! {
    /// Type of the input's numbers.
    Dtype {
        /// 32-bit float.
        F32 = "f32",
        /// 16-bit float.
        F16 = "f16",
        /// Bytes: grey levels rounded to the nearest.
        U8 = "u8",
    }
}
words! {
    /// Where the scaled picture lies in the input.
    Placement {
        /// At the top left, padding to the right or below.
        Corner = "corner",
        /// In the middle, padding on both sides.
        Centred = "centred",
        /// All over it, the aspect not kept.
        Stretch = "stretch",
    }
}
words! {
    /// What the four numbers of a box are.
    Corners {
        /// Left, top, right, bottom.
        Xyxy = "xyxy",
        /// Top, left, bottom, right, as TensorFlow has it.
        Yxyx = "yxyx",
        /// Centre x, centre y, width, height.
        Cxcywh = "cxcywh",
    }
}
words! {
    /// What the numbers of a box are measured in.
    Units {
        /// Pixels of the input.
        Pixels = "pixels",
        /// Shares of the input's width and height, 0 to 1.
        Normalised = "normalised",
    }
}
words! {
    /// Whether a model's scores have a column for there being nothing.
    Background {
        /// No such column.
        None = "none",
        /// The first column, before that of the first label.
        First = "first",
    }
}
