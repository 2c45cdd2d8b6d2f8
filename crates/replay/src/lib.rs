//! Tests the settings of breakerbox against recorded or generated traffic.
