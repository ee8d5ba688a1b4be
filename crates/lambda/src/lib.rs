//! Runs snippets on the container-image function of AWS Lambda.
