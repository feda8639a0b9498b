//! Binary HTTP messages (RFC 9292) of known length: as much of them as a record and its answer need.

/// Bytes of the content: format, nonce and record.
pub const CONTENT: usize = 33;

/// Bytes of the request, filled up with zeros.
pub const MESSAGE: usize = 256;

/// The final status of a response may follow this many informational ones.
const INFORMATIONAL: usize = 8;

/// `POST https://AUTHORITY PATH` without headers; `None` where it is longer than [`MESSAGE`].
pub fn request(authority: &[u8], path: &[u8], content: &[u8; CONTENT]) -> Option<[u8; MESSAGE]> {
    let mut message = [0; MESSAGE];
    // The framing indicator of a request of known length is the zero that stands there.
    let mut at = 1;
    for part in [&b"POST"[..], b"https", authority, path] {
        at = put_length(&mut message, at, part.len())?;
        at = put(&mut message, at, part)?;
    }
    // No headers; the zeros after the content are no trailers, then padding.
    at = put_length(&mut message, at, 0)?;
    at = put_length(&mut message, at, CONTENT)?;
    put(&mut message, at, content)?;
    Some(message)
}

fn put(message: &mut [u8], at: usize, bytes: &[u8]) -> Option<usize> {
    let end = at.checked_add(bytes.len())?;
    message.get_mut(at..end)?.copy_from_slice(bytes);
    Some(end)
}

/// A variable-length integer (RFC 9000, section 16) below 2^14.
fn put_length(message: &mut [u8], at: usize, length: usize) -> Option<usize> {
    match u16::try_from(length).ok()? {
        short @ 0..64 => put(message, at, &[short as u8]),
        long @ 64..0x4000 => put(message, at, &(long | 0x4000).to_be_bytes()),
        _ => None,
    }
}

/// The final status, 200 to 599, of a response of known or of indeterminate length; `None` where there is none.
pub fn status(mut message: &[u8]) -> Option<u16> {
    let framing = take_number(&mut message)?;
    if framing != 1 && framing != 3 {
        return None;
    }
    for _ in 0..=INFORMATIONAL {
        let status = take_number(&mut message)?;
        match status {
            100..200 => skip_fields(&mut message, framing == 3)?,
            200..600 => return u16::try_from(status).ok(),
            _ => return None,
        }
    }
    None
}

/// Skips a field section: so many bytes, or lines up to a zero.
fn skip_fields(message: &mut &[u8], indeterminate: bool) -> Option<()> {
    if !indeterminate {
        return take(message).map(drop);
    }
    loop {
        if take(message)?.is_empty() {
            return Some(());
        }
        take(message)?;
    }
}

/// Bytes after their length.
fn take<'a>(message: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(message)?).ok()?;
    let (bytes, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(bytes)
}

fn take_number(message: &mut &[u8]) -> Option<u64> {
    let (first, rest) = message.split_first()?;
    let (more, rest) = rest.split_at_checked((1 << (first >> 6)) - 1)?;
    *message = rest;
    Some(more.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
}
