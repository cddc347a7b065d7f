/**
 * @file A controller that looks at the first tensors of the state only: what is merely summed along needs no say in the step lengths.
 *
 * P. Kidger, R. T. Q. Chen, T. Lyons, "Hey, that's not an ODE": Faster ODE Adjoints via Seminorms, ICML 2021.
 */
import type { Control, Controller, ControlSetup } from "../controller.js";
import type { EmbeddedStep, Leaves, StagePair, Step, StiffnessStep } from "../step.js";

/** The record as if the state had only its first `count` tensors. What is computed lazily stays lazy. */
export const leadingStep = <R extends Step>(step: R, count: number): R => {
  const first = (leaves: Leaves): Leaves => leaves.slice(0, count);
  const view = Object.create(step, {
    y0: { value: first(step.y0) },
    y1: { value: first(step.y1) },
    // A slope is of the state's form; what else is carried is the solver's own.
    carry: { get: () => (step.carry.length === step.y0.length ? first(step.carry) : step.carry) },
  }) as R;
  if ("error" in step) Object.defineProperty(view, "error", { get: () => first((step as unknown as EmbeddedStep).error) });
  if ("stiffness" in step)
    Object.defineProperty(view, "stiffness", {
      value: (): StagePair => {
        const { slopes, states } = (step as unknown as StiffnessStep).stiffness();
        return { slopes: first(slopes), states: first(states) };
      },
    });
  return view;
};

/**
 * The same controller for states with more tensors behind the first `count`.
 *
 * @param form - the tree of those first ones, which its tolerances have the form of.
 */
export const onLeadingLeaves = <R extends Step>(controller: Controller<R>, count: number, form: unknown): Controller<R> =>
  Object.freeze({
    ...controller,
    begin: (setup: ControlSetup): Control<R> => {
      const rest = setup.y0.slice(count);
      const control = controller.begin({
        ...setup,
        y0: setup.y0.slice(0, count),
        form,
        slope: (t, y) => setup.slope(t, [...y, ...rest]).slice(0, count),
        firstSlope: setup.firstSlope?.slice(0, count),
      });
      return control.kind === "grid" ? control : { ...control, judge: (step: R) => control.judge(leadingStep(step, count)) };
    },
  });
