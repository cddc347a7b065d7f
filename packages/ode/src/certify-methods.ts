/**
 * @file The checks of a gradient by other ways to the same derivative: forward mode, checkpoints, the adjoints of the flow.
 *
 *   (∂L/∂x) v by forward mode = ⟨∇L, v⟩ by reverse mode
 */
import { jvp, revolve } from "@dydt/autodiff";
import { elementsOf, leavesOf } from "@dydt/tensor";
import { backsolveAdjoint } from "./adjoints/backsolve.js";
import { denseAdjoint } from "./adjoints/dense.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { interpolatedAdjoint } from "./adjoints/interpolated.js";
import { observing, type Noted } from "./ambient.js";
import type { CheckSheet } from "./certificate.js";
import { dot } from "./certify-direction.js";
import type { Subject } from "./certify-subject.js";
import { observedGradient, relativeDifference } from "./compare.js";

const differentBits = (a: unknown, b: unknown): number => {
  const others = leavesOf(b);
  let different = 0;
  leavesOf(a).forEach((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(others[i]!)];
    for (let k = 0; k < x.length; k++) if (!Object.is(x[k], y[k])) different++;
  });
  return different;
};

const canLookUp = ({ solver }: Noted): boolean => solver.interpolates === true;
const largest = (solves: readonly Noted[], of: (stats: Noted["stats"]) => number | undefined): number =>
  solves.reduce((most, { stats }) => Math.max(most, of(stats) ?? 0), 0);

/** Compares the gradient with those of other methods. */
export const checkMethods = <P>(subject: Subject<P>, { add, skip, attempt }: CheckSheet): void => {
  const { loss, parameters, gradient: own, solves, single, tolerance, fixedGrid, flows, events, direction, along, discrete } = subject;
  attempt("forward against reverse", () => {
    const { result } = observing({ grids: events ? undefined : solves }, () => jvp((p: P) => loss(p), parameters, direction));
    const size = Math.sqrt(dot(own, own) * dot(direction, direction));
    const difference = Math.abs(result.tangent.item() - along) / (size === 0 ? 1 : size);
    add(
      "forward against reverse",
      difference,
      "at most",
      flows ? 1000 * Math.max(tolerance, 1e-9) : single ? 1e-4 : 1e-10,
      "directional derivative by jvp and by the gradient",
    );
  });

  const stored = discrete();
  attempt("checkpointed against stored", () =>
    add(
      "checkpointed against stored",
      differentBits(discrete(discreteAdjoint({ checkpoints: revolve(3) })), stored),
      "at most",
      0,
      "numbers of other bits with revolve(3)",
    ),
  );

  const limit = 1000 * tolerance;
  attempt("continuous against discrete", () => {
    const { gradient } = observedGradient(loss, parameters, { adjoint: solves.every(canLookUp) ? denseAdjoint() : backsolveAdjoint() });
    const gap = relativeDifference(gradient, stored);
    if (fixedGrid)
      add("continuous against discrete", gap, "at most", 1e-2, "with given steps they differ by the discretization error: this is its size", true);
    else add("continuous against discrete", gap, "at most", limit, "a thousand tolerances");
  });
  attempt("drift of backsolving", () => {
    const found = observedGradient(loss, parameters, { adjoint: backsolveAdjoint() }).solves;
    const used = solves.some(({ adjoint }) => adjoint.name === "backsolveAdjoint");
    add(
      "drift of backsolving",
      largest(found, ({ reverse }) => reverse?.drift),
      "at most",
      fixedGrid ? 1e-3 : limit,
      "how far the state that is solved for again misses",
      !used,
    );
  });
  attempt("defect of interpolation", () => {
    const found = observedGradient(loss, parameters, { adjoint: interpolatedAdjoint({ nodes: 12, largestDefect: Infinity }) }).solves;
    if (found.every(({ stats }) => stats.reverse?.defect === undefined))
      skip("defect of interpolation", "at most", "no polynomial was made: events ended every stretch");
    else
      add(
        "defect of interpolation",
        largest(found, ({ reverse }) => reverse?.defect),
        "at most",
        0.01,
        "of polynomials with 12 nodes, relative to |f|",
        true,
      );
  });
};
