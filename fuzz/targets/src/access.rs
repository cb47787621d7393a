//! Allow and deny lists of `sinew-host`.

use sinew_host::access::AccessList;

/// What is read prints as what reads back the same; what is not read names a line of the text.
pub(crate) fn list(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match AccessList::from_text(text) {
        Ok(list) => {
            let again = AccessList::from_text(&list.to_text()).expect("our own text");
            assert_eq!(again.rules(), list.rules());
        }
        Err(error) => assert!((1..=text.lines().count()).contains(&error.line)),
    }
}
