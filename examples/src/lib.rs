//! Shared by the hvmail programs.
