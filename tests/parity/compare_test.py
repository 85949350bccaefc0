"""The comparators themselves: they must fail on what is wrong, and take what is only rounding."""
import unittest

import numpy as np

import compare

SLACK = 1e-3


def values(shape=(1, 84, 400), seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def detections(seed=0):
    rows = values((1, 300, 6), seed)
    rows[..., :4] *= 640
    rows[..., 4] = np.linspace(0.9, 0.1, 300)
    rows[..., 5] = np.floor(rows[..., 5] * 80)
    return rows


class Form(unittest.TestCase):
    def test_nan_and_infinity(self):
        for bad in (np.nan, np.inf, -np.inf):
            wrong = values()
            wrong[0, 3, 7] = bad
            for got, expected in ((wrong, values()), (values(), wrong), (wrong, wrong)):
                with self.assertRaisesRegex(ValueError, "NaN or infinite"):
                    compare.difference("x", got, expected)
            rows = detections()
            rows[0, 3, 4] = bad
            with self.assertRaisesRegex(ValueError, "NaN or infinite"):
                compare.row_difference("x", rows, detections(), SLACK)

    def test_shape_type_and_emptiness(self):
        for got in (values((1, 84, 401)), values((84, 400)), values().astype(np.float64)):
            with self.assertRaisesRegex(ValueError, "is not"):
                compare.difference("x", got, values())
        with self.assertRaisesRegex(ValueError, "empty"):
            compare.difference("x", values((1, 0, 6)), values((1, 0, 6)))


class Values(unittest.TestCase):
    def test_equal(self):
        found = compare.difference("x", values(), values())
        self.assertEqual((found.absolute, found.relative, found.rms), (0, 0, 0))

    def test_one_wrong_element_is_judged_by_its_channel(self):
        expected = values()
        expected[0, :4] *= 640
        expected[0, 4:] *= 0.01
        wrong = expected.copy()
        wrong[0, 50, 100] += 0.001  # a sixth of a millionth of the boxes' magnitude, a tenth of this class's
        self.assertGreater(compare.difference("x", wrong, expected).relative, 0.05)

    def test_channels_of_rows_by_columns(self):
        expected = values((1, 400, 85))
        expected[..., :4] *= 640
        wrong = expected.copy()
        wrong[0, 10, 60] += 0.1
        self.assertGreater(compare.difference("x", wrong, expected).relative, 0.05)

    def test_the_tolerance_grows_with_the_root_of_k(self):
        self.assertAlmostEqual(compare.tolerance(40000) / compare.tolerance(10000), 2)
        self.assertLess(compare.tolerance(10000), 1e-3)


class Rows(unittest.TestCase):
    def test_order_of_ties_is_free(self):
        expected = detections()
        expected[0, 10, 4] = expected[0, 11, 4]
        got = expected.copy()
        got[0, [10, 11]] = expected[0, [11, 10]]
        self.assertEqual(compare.row_difference("x", got, expected, SLACK).relative, 0)

    def test_rows_at_the_cut_are_free(self):
        got = detections()
        got[0, 299, :4] = 1
        self.assertEqual(compare.row_difference("x", got, detections(), SLACK).relative, 0)

    def test_a_moved_box_another_class_another_score_a_repeated_row(self):
        for column, by in ((0, 64), (5, 1), (4, 0.05)):
            got = detections()
            got[0, 20, column] += by
            self.assertGreater(compare.row_difference("x", got, detections(), SLACK).relative, SLACK, column)
        got = detections()
        got[0, 20] = got[0, 21]
        self.assertGreater(compare.row_difference("x", got, detections(), SLACK).relative, SLACK)

    def test_nothing_to_compare_is_an_error(self):
        flat = detections()
        flat[..., 4] = 0.5
        with self.assertRaisesRegex(ValueError, "nothing can be compared"):
            compare.row_difference("x", flat, flat, SLACK)


if __name__ == "__main__":
    unittest.main()
