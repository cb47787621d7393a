//! What a stream has been good for: the remote pays for those that were good for nothing.

/// What came of a stream. Once it came to nothing, or was answered, that stands.
///
/// ```text
///          a byte           our answer
/// Silent ----------> Heard ------------> Answered
///    | its end         | a reset
///    | or a reset      |
///    +-----------------+---------------> Nothing
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    /// It is ours, and costs the remote nothing.
    Own,
    /// The remote opened it and has sent nothing.
    Silent,
    /// The remote has sent something.
    Heard,
    /// We have answered.
    Answered,
    /// The remote left before there was an answer, or ended it without a byte.
    Nothing,
}

impl Worth {
    /// A byte came.
    pub(crate) fn heard(&mut self) {
        if *self == Self::Silent {
            *self = Self::Heard;
        }
    }

    /// A byte of ours is on its way.
    pub(crate) fn answered(&mut self) {
        if matches!(self, Self::Silent | Self::Heard) {
            *self = Self::Answered;
        }
    }

    /// The remote has nothing more to send.
    pub(crate) fn ended(&mut self) {
        if *self == Self::Silent {
            *self = Self::Nothing;
        }
    }

    /// The remote reset it, or refused our direction.
    pub(crate) fn left(&mut self) {
        if matches!(self, Self::Silent | Self::Heard) {
            *self = Self::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Worth::{self, Answered, Heard, Nothing, Own, Silent};

    /// A step, and what it makes of each state.
    type Step = (fn(&mut Worth), [Worth; 5]);

    #[test]
    fn every_step_from_every_state() {
        let steps: [Step; 4] = [
            (Worth::heard, [Own, Heard, Heard, Answered, Nothing]),
            (Worth::answered, [Own, Answered, Answered, Answered, Nothing]),
            (Worth::ended, [Own, Nothing, Heard, Answered, Nothing]),
            (Worth::left, [Own, Nothing, Nothing, Answered, Nothing]),
        ];
        for (step, expected) in steps {
            let after = [Own, Silent, Heard, Answered, Nothing].map(|mut worth| {
                step(&mut worth);
                worth
            });
            assert_eq!(after, expected);
        }
    }
}
