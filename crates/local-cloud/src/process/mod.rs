//! The processes of an environment: how they are started apart from the machine, frozen, measured
//! and ended.

mod launch;
