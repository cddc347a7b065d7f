/**
 * @file Property tests draw the same examples in every run: a failure here is a failure everywhere.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: 20_261_121 });
