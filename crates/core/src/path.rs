//! Paths that cross the border between a caller and a guest.

/// The longest path accepted, in bytes. S3 takes keys of 1,024 bytes, and the folder of the
/// execution and the store's own prefix come before the path.
pub const MAX_PATH_BYTES: usize = 900;
const MAX_COMPONENT_BYTES: usize = 255;
const MAX_DEPTH: usize = 32;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The empty string.
    #[error("must not be empty")]
    Empty,
    /// Starts with `/`.
    #[error("must be relative to the work directory, without a leading `/`")]
    Absolute,
    /// Has `.`, `..` or an empty component.
    #[error("must not contain `.`, `..` or empty components")]
    Component,
    /// Has a backslash or a control character.
    #[error("must not contain backslashes or control characters")]
    Character,
    /// Too long or too deep.
    #[error("must have at most 900 bytes, 255 in a component, and 32 components")]
    TooLong,
}

/// Checks that `path` names something inside the work directory and nothing else, on any system
/// it may later be written to or served from.
///
/// # Errors
/// Says which rule the path breaks.
pub fn check_relative_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.starts_with('/') {
        return Err(PathError::Absolute);
    }
    if path.len() > MAX_PATH_BYTES || path.split('/').count() > MAX_DEPTH {
        return Err(PathError::TooLong);
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(PathError::Character);
    }
    for component in path.split('/') {
        if matches!(component, "" | "." | "..") {
            return Err(PathError::Component);
        }
        if component.len() > MAX_COMPONENT_BYTES {
            return Err(PathError::TooLong);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names() {
        for path in ["a", "a/b.csv", "data set/ü.txt", "..a", ".hidden", "a..b/c"] {
            assert_eq!(check_relative_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn refuses_ways_out() {
        for (path, error) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("..", PathError::Component),
            ("a/../b", PathError::Component),
            ("a//b", PathError::Component),
            ("a/", PathError::Component),
            ("./a", PathError::Component),
            ("a\\..\\b", PathError::Character),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
        ] {
            assert_eq!(check_relative_path(path), Err(error), "{path:?}");
        }
        assert_eq!(
            check_relative_path(&"a/".repeat(40)),
            Err(PathError::TooLong)
        );
        assert_eq!(
            check_relative_path(&"a".repeat(256)),
            Err(PathError::TooLong)
        );
    }
}
