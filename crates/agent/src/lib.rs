//! The control loop of one host: hears presence, decides by placement, starts and stops slots.
