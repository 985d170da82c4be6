/**
 * Property tests draw the same samples in every run, so that a commit is green or red and not by turns. FAST_CHECK_SEED=random draws others,
 * a number those of a run that failed.
 */
import fc from 'fast-check';

const wanted = process.env.FAST_CHECK_SEED ?? '20261201';
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });
