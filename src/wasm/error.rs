//! Errors cross the boundary as real JavaScript errors with a `code`.

use wasm_bindgen::JsValue;

use crate::error::Error;

impl From<Error> for JsValue {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        let js = js_sys::Error::new(error.message());
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&js, &"code".into(), &error.code().into());
        js.into()
    }
}
