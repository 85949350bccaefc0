#pragma once
#include <span>
#include <vector>

namespace tenon {

/// numpy.interp: values at x of the line through (xp, fp); left and right of it the given value and the last one.
/// @param xp rising (equal neighbours allowed), not empty
double Interpolate(double x, std::span<const double> xp, std::span<const double> fp, double left);

/// `count` points from low to high as numpy.linspace gives them.
std::vector<double> LinearSpace(double low, double high, int count);

/// A box filter of an odd width of about 2 * fraction of the length, ends padded with the end values.
std::vector<double> Smooth(std::span<const double> y, double fraction);

/// Area under the precision envelope over 101 recall points, trapezoids between them.
/// @param recall rising; of the same length as precision
double AveragePrecision(std::span<const double> recall, std::span<const double> precision);

}  // namespace tenon
