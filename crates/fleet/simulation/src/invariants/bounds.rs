//! Bounds: what a node keeps is limited by its registry, and not by what it is told.
