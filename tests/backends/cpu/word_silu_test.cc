#include "backends/cpu/word_silu.h"

#include <gtest/gtest.h>

namespace tenon::cpu {
namespace {

TEST(WordSiluTest, TakesGridsThatItIsFineEnoughFor) {
  EXPECT_TRUE(WordSilu::For({0.02f, 14}));
  EXPECT_TRUE(WordSilu::For({0.004f, 60}));
  EXPECT_FALSE(WordSilu::For({0.0039f, 60}));
  EXPECT_TRUE(WordSilu::For({0.0627f, 0}));
  EXPECT_FALSE(WordSilu::For({0.0628f, 0}));
  EXPECT_TRUE(WordSilu::For({0.08f, 100}));
}

// x keeps as many bits as its range leaves: outputs up to 8, or up to 16.
TEST(WordSiluTest, UnitsArePowersOfTwo) {
  EXPECT_EQ(WordSilu::For({0.02f, 14})->input_scale(), 4096.0f);
  EXPECT_EQ(WordSilu::For({0.04f, 14})->input_scale(), 2048.0f);
}

}  // namespace
}  // namespace tenon::cpu
