//! The model's input for a batch of pictures, in the model's own type, reused from run to run.

use std::ops::Range;

use calib::picture::YuvView;
use half::f16;
use ort::value::TensorElementType;
use rayon::prelude::*;

use crate::detector::BATCH_MAX;
use crate::error::ModelError;
use crate::letterbox::{Fit, Letterbox, PictureFault, Value};
use crate::manifest::{Batch, Dtype, Input, Layout};
use crate::session::{Extent, Feed, Side, Spec};

/// Room for several pictures of one size, `[places, 3, H, W]` or `[places, H, W, 3]`.
#[derive(Debug)]
pub(crate) struct Tensor {
    input: Input,
    /// Width and height that it has now: the input's own, or less where that is trimmed.
    size: [usize; 2],
    numbers: Numbers,
    /// Places whose memory is the process's own already: the system gives it at the first write.
    touched: usize,
    /// Width and height of the input a place, for a model that asks for them.
    sizes: Vec<i64>,
    /// One a place in the batch.
    letterboxes: Vec<Letterbox>,
}

#[derive(Debug)]
enum Numbers {
    U8(Vec<u8>),
    F16(Vec<f16>),
    F32(Vec<f32>),
}

impl Tensor {
    /// For one picture, or [`BATCH_MAX`] where the batch is free.
    pub(crate) fn new(input: &Input, batch: Batch) -> Self {
        let places = match batch {
            Batch::Static => 1,
            Batch::Dynamic => BATCH_MAX,
        };
        let plane = 3 * input.width * input.height;
        let numbers = match input.dtype {
            Dtype::U8 => Numbers::U8(vec![0; places * plane]),
            Dtype::F16 => Numbers::F16(vec![f16::ZERO; places * plane]),
            Dtype::F32 => Numbers::F32(vec![0.0; places * plane]),
        };
        let size = [input.width as i64, input.height as i64];
        let sizes = input.sizes.iter().flat_map(|_| size.repeat(places)).collect();
        let letterboxes = (0..places).map(|_| Letterbox::new(input)).collect();
        Self {
            input: input.clone(),
            size: [input.width, input.height],
            numbers,
            touched: 0,
            sizes,
            letterboxes,
        }
    }

    /// Makes it a tensor of that width and height, neither more than the input's.
    pub(crate) fn resize(&mut self, size: [usize; 2]) {
        self.size = size;
    }

    /// Another one like it, with as much of its memory in hand.
    pub(crate) fn twin(&self, batch: Batch) -> Self {
        let mut twin = Self::new(&self.input, batch);
        twin.touch(self.touched);
        twin
    }

    /// Takes the memory of its first places from the system now, so that nothing grows when they are needed first.
    pub(crate) fn touch(&mut self, places: usize) {
        self.touched = self.touched.max(places.min(self.places()));
        let to = self.touched * 3 * self.input.width * self.input.height;
        match &mut self.numbers {
            Numbers::U8(numbers) => numbers[..to].fill(self.input.pad),
            Numbers::F16(numbers) => numbers[..to].fill(f16::ONE),
            Numbers::F32(numbers) => numbers[..to].fill(1.0),
        }
    }

    /// How large a run on `batch` of its places is.
    pub(crate) fn extent(&self, batch: usize) -> Extent {
        Extent { batch, size: self.size }
    }

    /// Most pictures of one run.
    pub(crate) fn places(&self) -> usize {
        self.letterboxes.len()
    }

    /// Letterboxes the pictures of one of [`runs`], in parallel.
    pub(crate) fn write(&mut self, pictures: &[YuvView<'_>], run: &[usize]) -> Result<Vec<Fit>, ModelError> {
        if let Some(first) = run.first().map(|&at| &pictures[at]) {
            self.size = Fit::of(first.width.max(1), first.height.max(1), &self.input).tensor;
        }
        let plane = self.plane();
        let Self { numbers, letterboxes, .. } = self;
        match numbers {
            Numbers::U8(numbers) => write(numbers, plane, letterboxes, pictures, run),
            Numbers::F16(numbers) => write(numbers, plane, letterboxes, pictures, run),
            Numbers::F32(numbers) => write(numbers, plane, letterboxes, pictures, run),
        }
    }

    /// Numbers of one picture.
    fn plane(&self) -> usize {
        3 * self.size[0] * self.size[1]
    }

    /// What some of its places hold, one feed an input.
    pub(crate) fn feeds(&self, places: Range<usize>) -> Vec<Feed<'_>> {
        let plane = self.plane();
        let part = places.start * plane..places.end * plane;
        let pictures = match &self.numbers {
            Numbers::U8(numbers) => Feed::U8(&numbers[part]),
            Numbers::F16(numbers) => Feed::F16(&numbers[part]),
            Numbers::F32(numbers) => Feed::F32(&numbers[part]),
        };
        let sizes = (!self.sizes.is_empty()).then(|| Feed::I64(&self.sizes[..2 * places.len()]));
        std::iter::once(pictures).chain(sizes).collect()
    }
}

/// Which of the pictures at `places` go together: those of one size of the tensor, in runs of at most `most`.
pub(crate) fn runs(
    pictures: &[YuvView<'_>],
    places: impl IntoIterator<Item = usize>,
    input: &Input,
    most: usize,
) -> Vec<Vec<usize>> {
    let mut runs: Vec<([usize; 2], Vec<usize>)> = Vec::new();
    for at in places {
        let picture = &pictures[at];
        // What has no side is refused when it is written.
        let size = Fit::of(picture.width.max(1), picture.height.max(1), input).tensor;
        match runs.iter_mut().find(|(of, run)| *of == size && run.len() < most) {
            Some((_, run)) => run.push(at),
            None => runs.push((size, vec![at])),
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The inputs that a model of this manifest has.
pub(crate) fn specs(input: &Input) -> Vec<Spec> {
    let [width, height] = match input.trim {
        None => [input.width, input.height].map(Side::Is),
        Some(_) => [Side::Width, Side::Height],
    };
    let sides = match input.layout {
        Layout::Nchw => vec![Side::Batch, Side::Is(3), height, width],
        Layout::Nhwc => vec![Side::Batch, height, width, Side::Is(3)],
    };
    let kinds: &[TensorElementType] = match input.dtype {
        Dtype::U8 => &[TensorElementType::Uint8],
        Dtype::F16 => &[TensorElementType::Float16],
        Dtype::F32 => &[TensorElementType::Float32],
    };
    let picture =
        Spec { keys: ["input.name", "input.dtype", "input.size"], name: input.name.clone(), kinds, sides };
    let sizes = |name: &String| Spec {
        keys: ["input.sizes"; 3],
        name: name.clone(),
        kinds: &[TensorElementType::Int64],
        sides: vec![Side::Batch, Side::Is(2)],
    };
    std::iter::once(picture).chain(input.sizes.as_ref().map(sizes)).collect()
}

fn write<V: Value>(
    numbers: &mut [V],
    plane: usize,
    letterboxes: &mut [Letterbox],
    pictures: &[YuvView<'_>],
    run: &[usize],
) -> Result<Vec<Fit>, ModelError> {
    let one = |((letterbox, numbers), &index): ((&mut Letterbox, &mut [V]), &usize)| {
        let picture = &pictures[index];
        letterbox.write(picture, numbers).map_err(|fault: PictureFault| ModelError::Picture {
            index,
            width: picture.width,
            height: picture.height,
            fault,
        })
    };
    if let [index] = run {
        // No pool for one picture: the caller's thread does it.
        let fit = one(((&mut letterboxes[0], &mut numbers[..plane]), index))?;
        return Ok(vec![fit]);
    }
    let places = letterboxes.par_iter_mut().zip(numbers.par_chunks_exact_mut(plane));
    places.zip(run).map(one).collect()
}
