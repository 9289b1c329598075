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
    fn names_round_trip_and_agree_with_serde() {
        for &class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
        }
    }
}
