/**
 * @file A certificate that a gradient is right: independent checks, each with its number, its threshold and its verdict.
 *
 *   Taylor:  |L(x + hv) − L(x) − h⟨∇L, v⟩| = O(h²) along frozen steps; with a wrong gradient O(h)
 *   central differences, where that tells nothing, or where the steps cannot be frozen
 *   dot products:  (∂L/∂x) v by forward mode = ⟨∇L, v⟩ by reverse mode
 *
 * P. E. Farrell, D. A. Ham, S. W. Funke, M. E. Rognes, Automated Derivation of the Adjoint of High-Level Transient Finite Element Programs, SIAM J. Sci. Comput.
 * 35(4), 2013, section 6, for the Taylor test.
 */
import { checkOptions, type Tensor } from "@dydt/tensor";
import { certificateOf, checkSheet, type GradientCertificate } from "./certificate.js";
import { checkMethods } from "./certify-methods.js";
import { subjectOf } from "./certify-subject.js";
import { checkValues } from "./certify-values.js";

/** Options of {@link certifyGradient}. */
export interface CertifyOptions {
  /** Seed of the random direction; default 0. */
  readonly seed?: number;
  /** The largest step of the Taylor test, relative to the parameters; default 1e-2. */
  readonly step?: number;
}

/**
 * Certifies the gradient of a loss that solves differential equations: that it is the derivative of the loss along the steps that were taken, that forward and
 * reverse mode agree, that checkpointing changes no bit, and how far the continuous adjoints are from the discrete one.
 *
 * Nothing passes that values of the loss have not confirmed: by the order of the Taylor remainder, or by central differences. Adjoints of the flow, and solves whose
 * events move the steps, are looked at with shorter steps.
 *
 * Cost: some fifty solves, and eight gradients.
 *
 * @param loss - from a tree of tensors to a tensor of one element, by any number of solves.
 * @param parameters - where.
 * @returns a certificate: `passed`, rows, `toString()` for people and `toJSON()` for programs. In a test: `expect.extend(certificateMatchers)`.
 * @example
 * const data = tensor([0.2, 0.1]);
 * const certificate = certifyGradient(
 *   (k: Tensor) => solve((t, y) => y.mul(k).sin(), tensor([1, 2]), { t0: 0, t1: 2 }).y1.sub(data).square().sum(),
 *   tensor([-0.5, -0.7]),
 * );
 * if (!certificate.passed) throw new Error(certificate.toString());
 */
export const certifyGradient = <P>(loss: (parameters: P) => Tensor, parameters: P, options: CertifyOptions = {}): GradientCertificate => {
  checkOptions("certifyGradient", options, ["seed", "step"]);
  const { seed = 0, step = 1e-2 } = options;
  const subject = subjectOf(loss, parameters, seed);
  const sheet = checkSheet();
  const confirmed = checkValues(subject, sheet, step);
  checkMethods(subject, sheet);
  return certificateOf(sheet.rows, confirmed);
};

/**
 * For test runners with `expect.extend`: `expect(loss).toHaveCertifiedGradient(parameters)`.
 *
 * @example
 * const { pass, message } = certificateMatchers.toHaveCertifiedGradient(
 *   (k: Tensor) => solve((t, y) => y.mul(k).sin(), tensor([1]), { t0: 0, t1: 1 }).y1.square().sum(), tensor([0.5]),
 * );
 * if (!pass) throw new Error(message());
 */
export const certificateMatchers = {
  toHaveCertifiedGradient: <P>(
    loss: (parameters: P) => Tensor,
    parameters: P,
    options: CertifyOptions = {},
  ): { readonly pass: boolean; readonly message: () => string } => {
    const certificate = certifyGradient(loss, parameters, options);
    return { pass: certificate.passed, message: () => certificate.toString() };
  },
} as const;
