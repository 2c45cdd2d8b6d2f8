use crate::input::Input;
pub(crate) fn run(data: &[u8]) -> arbitrary::Result<()> {
    let _ = Input::new(data);
    Ok(())
}
