//! Every bound of the server, in one place.
