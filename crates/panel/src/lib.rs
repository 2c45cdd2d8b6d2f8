//! The circuits of breakerbox in a browser.
