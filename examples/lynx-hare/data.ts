/**
 * @file Pelts that trappers brought to the Hudson Bay Company, in thousands a year, 1900 to 1920.
 *
 * Snowshoe hares and the Canadian lynxes that live on them, the classical record of a predator and its prey. The numbers are those of B. Carpenter,
 * Predator-Prey Population Dynamics: the Lotka-Volterra model in Stan, 2018.
 */
import { stack, tensor } from "@dydt/tensor";

const hare = [30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7];
const lynx = [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6];

/** The year of t = 0. */
export const firstYear = 1900;

/** Times of the counts, in years since 1900. */
export const years: readonly number[] = hare.map((_, year) => year);

/** Thousands of pelts `[21, 2]`: hares, lynxes. */
export const pelts = stack([tensor(hare), tensor(lynx)], 1);

/** Their natural logarithms, in which both models live: populations stay positive, and an error is a percentage. */
export const observed = pelts.log();
