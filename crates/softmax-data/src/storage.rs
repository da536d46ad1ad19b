use std::str::FromStr;

/// Whether numbers of half precision stay what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// They do.
    #[default]
    Keep,
    /// They become numbers of the element type.
    Widen,
}

impl Storage {
    /// Both.
    pub const ALL: [Storage; 2] = [Storage::Keep, Storage::Widen];

    /// Its name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Storage::Keep => "keep",
            Storage::Widen => "widen",
        }
    }
}

impl FromStr for Storage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Storage::ALL.into_iter().find(|storage| storage.name() == text);
        found.ok_or_else(|| format!("storage: expected one of keep, widen, found {text}"))
    }
}
