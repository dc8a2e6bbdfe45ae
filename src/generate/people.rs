//! Names and addresses of invented people.

use super::random::Random;

const FIRST: [&str; 32] = [
    "Amara", "Ben", "Carla", "Dmitri", "Elif", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Viktor",
    "Wei", "Ximena", "Yusuf", "Zoe", "Aiko", "Bruno", "Chiara", "Dana", "Emil", "Freya",
];
const LAST: [&str; 32] = [
    "Adeyemi",
    "Becker",
    "Costa",
    "Dubois",
    "Eriksen",
    "Ferrari",
    "Garcia",
    "Hoffmann",
    "Ivanov",
    "Jansen",
    "Kowalski",
    "Lindberg",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Quispe",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ueda",
    "Vargas",
    "Wagner",
    "Xu",
    "Yilmaz",
    "Zhang",
    "Andersson",
    "Brandt",
    "Chen",
    "Diaz",
    "Evans",
    "Fischer",
];

/// A person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
}

impl Person {
    pub(super) fn new(random: &mut Random) -> Self {
        let (first, last) = (random.pick(&FIRST), random.pick(&LAST));
        let number = random.between(1, 999);
        Self {
            name: format!("{first} {last}"),
            email: format!(
                "{}.{}{number}@example.com",
                first.to_lowercase(),
                last.to_lowercase()
            ),
        }
    }
}
