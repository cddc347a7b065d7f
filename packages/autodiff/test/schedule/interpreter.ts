/** @file The interpreter, for a stream of actions instead of a schedule. */
import { interpretSchedule, type Action, type Interpretation } from "@dydt/autodiff";

export const interpret = (actions: Iterable<Action>, steps: number): Interpretation => interpretSchedule(() => actions, steps);
