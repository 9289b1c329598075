//! A seeded street in grey: what a thumb of it looks like under light, weather and whatever is put into it.

use calib::class::Class;
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::look::Detection;
use logic::scene::{THUMB_WIDTH, Thumb};

pub(crate) const HEIGHT: usize = 180;
const BORDER: usize = 48;
const BASE_WIDTH: usize = THUMB_WIDTH + 2 * BORDER;
const BASE_HEIGHT: usize = HEIGHT + 2 * BORDER;

/// xorshift64* (Vigna 2016): small, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// 0..1
    pub(crate) fn share(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }

    /// About normal, mean 0, deviation 1.
    fn bell(&mut self) -> f32 {
        (0..4).map(|_| self.share() - 0.5).sum::<f32>() * 1.732
    }
}

/// A rectangle with a texture of its own, in pixels of a thumb.
#[derive(Clone, Copy)]
pub(crate) struct Thing {
    pub(crate) at: [f32; 2],
    pub(crate) size: [f32; 2],
    pub(crate) luma: f32,
}

impl Thing {
    pub(crate) fn bounds(&self) -> ImageBox {
        let ([x, y], [w, h]) = (self.at, self.size);
        ImageBox::from([x / 320.0, y / 180.0, (x + w) / 320.0, (y + h) / 180.0])
    }

    pub(crate) fn seen_as(&self, class: Class) -> Detection {
        Detection { class, score: 0.8, bounds: self.bounds() }
    }

    fn luma_at(&self, x: f32, y: f32) -> Option<f32> {
        let (u, v) = (x - self.at[0], y - self.at[1]);
        let inside = u >= 0.0 && v >= 0.0 && u < self.size[0] && v < self.size[1];
        inside.then(|| self.luma + 14.0 * ((u * 1.1).sin() + (v * 0.9).cos()))
    }
}

/// What a look is taken under.
#[derive(Clone)]
pub(crate) struct Moment {
    /// What everything is multiplied by.
    pub(crate) gain: f32,
    pub(crate) noise: f32,
    /// Pixels by which the camera is turned.
    pub(crate) nudge: [f32; 2],
    /// Left of this line (and its slant) lies a shadow.
    pub(crate) shadow_x: Option<f32>,
    pub(crate) lamp: Option<[f32; 2]>,
    /// Mist: contrast that is left, 0..1.
    pub(crate) mist: f32,
    pub(crate) rain_streaks: usize,
    /// Box blurs, one after another.
    pub(crate) blurs: usize,
    pub(crate) things: Vec<Thing>,
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            gain: 1.0,
            noise: 1.2,
            nudge: [0.0, 0.0],
            shadow_x: None,
            lamp: None,
            mist: 1.0,
            rain_streaks: 0,
            blurs: 0,
            things: Vec::new(),
        }
    }
}

pub(crate) struct World {
    base: Vec<f32>,
    pub(crate) dice: Dice,
    /// Leaves that wave: place and radius.
    pub(crate) tree: Option<([f32; 2], f32)>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut base = vec![120.0_f32; BASE_WIDTH * BASE_HEIGHT];
        for cell in [32_usize, 9, 3] {
            let cols = BASE_WIDTH / cell + 2;
            let knots: Vec<f32> =
                (0..cols * (BASE_HEIGHT / cell + 2)).map(|_| dice.between(-1.0, 1.0)).collect();
            let weight = [18.0, 7.0, 4.0][[32, 9, 3].iter().position(|&c| c == cell).unwrap()];
            for (at, value) in base.iter_mut().enumerate() {
                let (x, y) = ((at % BASE_WIDTH) as f32 / cell as f32, (at / BASE_WIDTH) as f32 / cell as f32);
                *value += weight * bilinear(&knots, cols, x, y);
            }
        }
        // Houses, windows, kerbs, lines: edges of every direction.
        for _ in 0..70 {
            let (w, h) = (dice.between(6.0, 60.0), dice.between(4.0, 40.0));
            let (x, y) =
                (dice.between(0.0, BASE_WIDTH as f32 - w), dice.between(0.0, BASE_HEIGHT as f32 * 0.62));
            let step = dice.between(-55.0, 55.0);
            fill(&mut base, [x, y], [w, h], step);
        }
        for _ in 0..8 {
            let y = dice.between(BASE_HEIGHT as f32 * 0.6, BASE_HEIGHT as f32 - 4.0);
            let (x, w) = (dice.between(0.0, 200.0), dice.between(60.0, 200.0));
            fill(&mut base, [x, y], [w, 2.5], 35.0);
        }
        base.iter_mut().for_each(|value| *value = value.clamp(12.0, 235.0));
        Self { base, dice, tree: None }
    }

    pub(crate) fn thumb(&mut self, moment: &Moment) -> Thumb {
        let sway: Vec<f32> = (0..64).map(|_| self.dice.between(-3.0, 3.0)).collect();
        let mut luma = vec![0.0_f32; THUMB_WIDTH * HEIGHT];
        for (at, value) in luma.iter_mut().enumerate() {
            let (x, y) = ((at % THUMB_WIDTH) as f32, (at / THUMB_WIDTH) as f32);
            let (mut u, mut v) = (x + BORDER as f32 + moment.nudge[0], y + BORDER as f32 + moment.nudge[1]);
            if let Some((centre, radius)) = self.tree
                && (x - centre[0]).hypot(y - centre[1]) < radius
            {
                let leaf = (x as usize / 6 + (y as usize / 6) * 7) % 32;
                (u, v) = (u + 1.6 * sway[leaf], v + 1.6 * sway[leaf + 32]);
            }
            *value = bilinear(&self.base, BASE_WIDTH, u, v);
            for thing in &moment.things {
                if let Some(own) = thing.luma_at(x + moment.nudge[0], y + moment.nudge[1]) {
                    *value = own;
                }
            }
            *value *= moment.gain * light_at(moment, x, y);
        }
        for _ in 0..moment.blurs {
            luma = blurred(&luma);
        }
        luma.iter_mut().for_each(|value| *value = 185.0 + (*value - 185.0) * moment.mist);
        for _ in 0..moment.rain_streaks {
            let (x, y) = (self.dice.share() * 318.0, self.dice.share() * 160.0);
            for step in 0..14 {
                luma[(y as usize + step) * THUMB_WIDTH + x as usize + step / 7] += 28.0;
            }
        }
        let noisy =
            |value: f32, dice: &mut Dice| (value + moment.noise * dice.bell()).clamp(0.0, 255.0) as u8;
        Thumb::from_luma(luma.into_iter().map(|value| noisy(value, &mut self.dice)).collect()).unwrap()
    }
}

fn light_at(moment: &Moment, x: f32, y: f32) -> f32 {
    let shadow = moment.shadow_x.map_or(1.0, |edge| {
        let off = (x + 0.4 * y - edge).clamp(-1.0, 1.0);
        0.725 + 0.275 * off
    });
    let lamp = moment.lamp.map_or(0.0, |[lx, ly]| {
        let off = (x - lx).hypot(2.0 * (y - ly)) / 70.0;
        1.5 * (-off * off).exp()
    });
    shadow + lamp
}

fn fill(base: &mut [f32], [x, y]: [f32; 2], [w, h]: [f32; 2], step: f32) {
    for row in y as usize..((y + h) as usize).min(BASE_HEIGHT) {
        for col in x as usize..((x + w) as usize).min(BASE_WIDTH) {
            base[row * BASE_WIDTH + col] += step;
        }
    }
}

fn bilinear(plane: &[f32], width: usize, x: f32, y: f32) -> f32 {
    let (col, row) = (x.floor() as usize, y.floor() as usize);
    let (fx, fy) = (x.fract(), y.fract());
    let at = |c: usize, r: usize| plane.get(r * width + c).copied().unwrap_or(0.0);
    (at(col, row) * (1.0 - fx) + at(col + 1, row) * fx) * (1.0 - fy)
        + (at(col, row + 1) * (1.0 - fx) + at(col + 1, row + 1) * fx) * fy
}

fn blurred(luma: &[f32]) -> Vec<f32> {
    (0..luma.len())
        .map(|at| {
            let (x, y) = (at % THUMB_WIDTH, at / THUMB_WIDTH);
            let mut sum = (0.0, 0.0);
            for r in y.saturating_sub(1)..(y + 2).min(HEIGHT) {
                for c in x.saturating_sub(1)..(x + 2).min(THUMB_WIDTH) {
                    sum = (sum.0 + luma[r * THUMB_WIDTH + c], sum.1 + 1.0);
                }
            }
            sum.0 / sum.1
        })
        .collect()
}

pub(crate) fn at(secs: f64) -> Timestamp {
    // 2026-07-01T02:00:00Z: ten in the morning in China.
    Timestamp::from_millis(1_782_871_200_000 + (secs * 1000.0) as i64)
}
