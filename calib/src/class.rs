//! The product's own classes. A model's labels are mapped onto them by its manifest, so that rules name
//! one vocabulary whichever model runs.

use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What a detector may say it sees.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Class { $(#[doc = $doc] $variant,)* }

        impl Class {
            /// Every class, in declaration order.
            pub const ALL: &[Class] = &[$(Class::$variant,)*];

            /// The name used in manifests, camera files and events.
            pub const fn name(self) -> &'static str {
                match self { $(Class::$variant => $name,)* }
            }

            /// The class of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Class::$variant),)* _ => None }
            }
        }
    };
}

classes! {
    Person "person" "A person. Counted as company of a stall, never recognised or kept.",
    Bicycle "bicycle" "A bicycle.",
    Motorcycle "motorcycle" "A motorcycle or scooter.",
    Car "car" "A car.",
    Bus "bus" "A bus.",
    Truck "truck" "A truck.",
    CargoTricycle "cargo_tricycle" "A three-wheeled cargo cycle.",
    Umbrella "umbrella" "An umbrella or parasol.",
    Table "table" "A table.",
    Chair "chair" "A chair or stool.",
    Bench "bench" "A bench.",
    Stall "stall" "A cart, stand or tent from which things are sold.",
    Goods "goods" "Goods laid out on the ground.",
    Bottle "bottle" "A bottle.",
    Bag "bag" "A bag or suitcase.",
    PottedPlant "potted_plant" "A potted plant.",
    Garbage "garbage" "Exposed garbage.",
    GarbageBin "garbage_bin" "A garbage bin.",
    BinOverflow "bin_overflow" "A bin filled over its rim.",
    MaterialPile "material_pile" "A pile of building material.",
    Machinery "machinery" "A building machine.",
    Scaffold "scaffold" "A scaffold.",
    TrafficCone "traffic_cone" "A traffic cone.",
    Hoarding "hoarding" "A site hoarding.",
    Face "face" "A face: hidden in evidence, never recognised, no matter of a rule.",
    Plate "plate" "A vehicle's plate: hidden in evidence, never read, no matter of a rule.",
}

impl Class {
    /// What is found to be hidden and for nothing else: no rule may ask for it.
    pub const HIDDEN: ClassSet = ClassSet::of(&[Self::Face, Self::Plate]);

    /// Names of the classes that a rule may ask for, in declaration order.
    pub fn names_for_rules() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(|class| !Self::HIDDEN.has(**class)).map(|class| class.name())
    }
}

/// Some classes. Kept as bits in the order of declaration: a new class goes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassSet(u32);

impl ClassSet {
    /// Of these classes.
    pub const fn of(classes: &[Class]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < classes.len() {
            bits |= 1 << classes[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether the class is one of them.
    pub const fn has(self, class: Class) -> bool {
        self.0 & (1 << class as u32) != 0
    }

    /// Whether some class is in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes of both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What belongs together at one place: a thing's classes may flicker inside its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// What things are sold from: stall, umbrella, table, chair, goods, cargo tricycle.
    Trade,
    /// What lies about: garbage, spoil, material.
    Heap,
    /// A bin over its rim.
    Bin,
    /// What has been built or has grown over days; the background names it, not a class.
    Structure,
    /// Something new that no class names yet.
    Unnamed,
}

impl Family {
    /// Classes of people and vehicles: they pass, hide what is behind them and keep company, and are no matter.
    pub const PASSING: ClassSet = ClassSet::of(&[
        Class::Person,
        Class::Bicycle,
        Class::Motorcycle,
        Class::Car,
        Class::Bus,
        Class::Truck,
        Class::CargoTricycle,
    ]);
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_classes_and_every_class_has_its_bit() {
        assert!(Class::ALL.len() <= 32);
        let set = ClassSet::of(&[Class::Table, Class::Hoarding]);
        let held: Vec<_> = Class::ALL.iter().filter(|class| set.has(**class)).collect();
        assert_eq!(held, [&Class::Table, &Class::Hoarding]);
        assert!(set.without(ClassSet::of(Class::ALL)).is_empty());
    }

    #[test]
    fn names_round_trip_and_agree_with_serde() {
        for &class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
        }
    }
}
