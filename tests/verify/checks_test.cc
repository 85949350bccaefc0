#include "verify/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "runtime/executable.h"

namespace tenon {
namespace {

using ::testing::HasSubstr;

/// 20 images of three boxes in two classes, each found with this score and moved by `shift` of 40 pixels.
struct Measured {
  Dataset dataset;
  Accuracy engine, source;
};

Accuracy Detections(const Dataset& dataset, float score, float shift, int lose_every = 0) {
  Accuracy accuracy;
  DetectionEvaluator evaluator(dataset);
  const LetterboxPlan plan = PlanLetterbox(320, 320, {.height = 320, .width = 320}, LetterboxRule::kVal);
  int count = 0;
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    ImageDetections image{i, plan, {}};
    for (const LabelledBox& label : CanvasLabels(dataset.samples[i], plan)) {
      if (lose_every > 0 && ++count % lose_every == 0) continue;
      Box box = label.box;
      box.x1 += shift;
      box.x2 += shift;
      image.detections.push_back({box, score, label.class_id});
    }
    evaluator.Add(i, image.detections, plan);
    accuracy.images.push_back(std::move(image));
  }
  accuracy.report = evaluator.Finish(MetricKind::kUltralytics);
  return accuracy;
}

Dataset Labelled(int images) {
  Dataset dataset{.source = "test.yaml", .names = {"box", "cone", "nothing"}};
  for (int i = 0; i < images; ++i) {
    Sample sample{.image_path = "none"};
    for (int k = 0; k < 3; ++k)
      sample.truths.push_back({.class_id = k == 2,
                               .cx = 0.2f + 0.3f * static_cast<float>(k),
                               .cy = 0.5f,
                               .width = 0.125f,
                               .height = 0.125f});
    dataset.samples.push_back(sample);
  }
  return dataset;
}

TEST(CheckMap, EqualSidesPass) {
  const Dataset dataset = Labelled(20);
  const Accuracy side = Detections(dataset, 0.9f, 2);
  const Check check = CheckMap({dataset, side, side}, 0.5);
  EXPECT_EQ(check.status, CheckStatus::kPass);
  EXPECT_EQ(check.value, 0);
  EXPECT_EQ(check.more["interval"][0], 0);
}

TEST(CheckMap, ADropBeyondTheThresholdFails) {
  const Dataset dataset = Labelled(20);
  const Accuracy source = Detections(dataset, 0.9f, 0), engine = Detections(dataset, 0.9f, 0, 20);
  const Check check = CheckMap({dataset, engine, source}, 0.5);
  EXPECT_EQ(check.status, CheckStatus::kFail);
  EXPECT_GT(*check.value, 2);
  EXPECT_LE(check.more["interval"][0], *check.value);
  EXPECT_GE(check.more["interval"][1], *check.value);
  EXPECT_EQ(CheckMap({dataset, engine, source}, 20).status, CheckStatus::kPass);
  EXPECT_EQ(CheckMap({dataset, source, engine}, 0.5).status, CheckStatus::kPass) << "a rise is no failure";
}

TEST(CheckMap, SaysWhenTheImagesAreTooFew) {
  const Dataset dataset = Labelled(4);
  const Accuracy source = Detections(dataset, 0.9f, 0), engine = Detections(dataset, 0.9f, 0, 5);
  const Check check = CheckMap({dataset, engine, source}, 0.5);
  EXPECT_THAT(check.detail, HasSubstr("too few images"));
  EXPECT_EQ(check.more["tells_half_a_point"], false);
}

TEST(CheckMap, WithoutLabelsNothingIsJudged) {
  Dataset dataset = Labelled(3);
  for (Sample& sample : dataset.samples) sample.truths.clear();
  const Accuracy side = Detections(dataset, 0.9f, 0);
  EXPECT_EQ(CheckMap({dataset, side, side}, 0.5).status, CheckStatus::kNotJudged);
  EXPECT_EQ(CheckTopClass({dataset, side, side}, "", 1).status, CheckStatus::kNotJudged);
  EXPECT_EQ(CheckConfidence({dataset, side, side}).status, CheckStatus::kNotJudged);
}

TEST(CheckMap, SidesOfDifferentImagesAreRefused) {
  const Dataset dataset = Labelled(5);
  const Accuracy source = Detections(dataset, 0.9f, 0);
  Accuracy engine = source;
  engine.images.pop_back();
  EXPECT_THROW(CheckMap({dataset, engine, source}, 0.5), Error);
}

TEST(CheckTopClass, TheMostFrequentUnlessNamed) {
  const Dataset dataset = Labelled(20);
  const Accuracy source = Detections(dataset, 0.9f, 0);
  Accuracy engine = source;
  ASSERT_EQ(engine.report.classes.size(), 2u);
  engine.report.classes[0].ap50_95 -= 0.02;  // box: two labels an image
  const Check box = CheckTopClass({dataset, engine, source}, "", 1);
  EXPECT_EQ(box.status, CheckStatus::kFail);
  EXPECT_EQ(box.more["class"], "box");
  EXPECT_NEAR(*box.value, 2, 1e-9);
  EXPECT_EQ(CheckTopClass({dataset, engine, source}, "cone", 1).status, CheckStatus::kPass);
  EXPECT_EQ(CheckTopClass({dataset, engine, source}, "nothing", 1).status, CheckStatus::kNotJudged);
  EXPECT_THROW(CheckTopClass({dataset, engine, source}, "elephant", 1), Error);
}

TEST(CheckConfidence, ACollapseOfScoresFailsThoughMapStays) {
  const Dataset dataset = Labelled(20);
  const Accuracy source = Detections(dataset, 0.9f, 0), engine = Detections(dataset, 0.8f, 0);
  EXPECT_EQ(CheckMap({dataset, engine, source}, 0.5).status, CheckStatus::kPass);
  EXPECT_EQ(CheckConfidence({dataset, engine, source}).status, CheckStatus::kFail);
  EXPECT_EQ(CheckConfidence({dataset, source, engine}).status, CheckStatus::kFail) << "overconfidence fails too";
  EXPECT_EQ(CheckConfidence({dataset, Detections(dataset, 0.885f, 0), source}).status, CheckStatus::kPass);
}

TEST(CheckConfidence, LostBoxesFail) {
  const Dataset dataset = Labelled(20);
  const Accuracy source = Detections(dataset, 0.9f, 0);
  const Check check = CheckConfidence({dataset, Detections(dataset, 0.9f, 0, 30), source});
  EXPECT_EQ(check.status, CheckStatus::kFail);
  EXPECT_NEAR(*check.value, 100 - 100 * 2 * 58.0 / (58 + 60), 1e-9);
  EXPECT_EQ(CheckConfidence({dataset, Detections(dataset, 0.2f, 0), source}).status, CheckStatus::kFail) << "none left";
}

ProgramStep DenseStep(const std::string& name, DType compute, double flops) {
  ProgramStep step;
  step.name = name;
  step.op = "Conv";
  step.compute = compute;
  step.flops = flops;
  return step;
}

TEST(CheckPrecision, StepsInAnotherPrecisionNeedAReason) {
  Program plan;
  plan.precision = "half";
  plan.steps = {DenseStep("/a/Conv", DType::kFloat32, 1), DenseStep("/b/Conv", DType::kBFloat16, 3)};
  const Check silent = CheckPrecision(plan, "half", "");
  EXPECT_EQ(silent.status, CheckStatus::kFail);
  EXPECT_EQ(silent.value, 0.75);
  const Check told = CheckPrecision(plan, "half", "x\n/a/Conv (Conv) stays in FP32: it reads the image: as it is\n");
  EXPECT_EQ(told.status, CheckStatus::kPass);
  EXPECT_THAT(told.detail, HasSubstr("it reads the image: as it is"));
  EXPECT_EQ(CheckPrecision(plan, "fp32", "").status, CheckStatus::kFail);
  EXPECT_EQ(CheckPrecision(plan, "int8", "").status, CheckStatus::kFail);
}

/// An engine whose only output is its input, through `disturb`.
class FakeExecutable : public internal::Executable {
 public:
  using Disturb = std::function<void(float*, int64_t run)>;
  explicit FakeExecutable(Disturb disturb) : disturb_(std::move(disturb)) {
    inputs = {{"images", DType::kFloat32, {1, 3, 2, 2}}};
    outputs = {{"out", DType::kFloat32, {12}}};
    precision = "int8";
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    class FakeExecution : public internal::Execution {
     public:
      explicit FakeExecution(const FakeExecutable& owner) : owner_(owner) {}
      void Run(std::span<const void* const> in, std::span<void* const> out, std::vector<double>*) override {
        std::memcpy(out[0], in[0], 12 * sizeof(float));
        owner_.disturb_(static_cast<float*>(out[0]), owner_.runs_++);
      }
      int64_t memory_bytes() const override { return 0; }
      int threads() const override { return 1; }

     private:
      const FakeExecutable& owner_;
    };
    return std::make_unique<FakeExecution>(*this);
  }

 private:
  Disturb disturb_;
  mutable std::atomic<int64_t> runs_ = 0;
};

Engine Fake(FakeExecutable::Disturb disturb) {
  return Engine::Adopt(internal::NewHandle({std::make_shared<FakeExecutable>(std::move(disturb))}));
}

TEST(CheckDeterminism, EveryWayOfDifferingIsSeen) {
  const Tensor image = Tensor::Of<float>({1, 3, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const OtherProcess same = [&](const Tensor& input) { return std::vector<Tensor>{input.Reshaped({12})}; };
  const auto nothing = [](float*, int64_t) {};
  EXPECT_EQ(CheckDeterminism(Fake(nothing), image, 1, same).status, CheckStatus::kPass);
  // Run 0 is the one compared with, 1 the black image, 2 the image again, 3 and on are the two contexts.
  const auto in_run = [](int64_t which) {
    return [which](float* out, int64_t run) { out[11] += run == which ? 1e-6f * out[11] : 0; };
  };
  const Check again = CheckDeterminism(Fake(in_run(2)), image, 1, same);
  EXPECT_EQ(again.status, CheckStatus::kFail);
  EXPECT_EQ(again.more["different_outputs"]["again"], 1);
  const Check at_once = CheckDeterminism(Fake(in_run(7)), image, 1, same);
  EXPECT_EQ(at_once.status, CheckStatus::kFail);
  EXPECT_EQ(at_once.more["different_outputs"]["two_contexts"], 1);
  const OtherProcess other = [&](const Tensor& input) {
    Tensor changed = input.Reshaped({12}).CastTo(DType::kFloat64).CastTo(DType::kFloat32);
    changed.data<float>()[0] = -0.0f;
    return std::vector<Tensor>{changed};
  };
  EXPECT_EQ(CheckDeterminism(Fake(nothing), image, 1, other).status, CheckStatus::kFail);
  EXPECT_EQ(CheckDeterminism(Fake(nothing), image, 1, [](const Tensor&) { return std::vector<Tensor>(); }).status,
            CheckStatus::kFail);
}

TEST(CheckNotSlower, OnlyInt8IsJudged) {
  const auto wait = [](int ms) {
    return [ms](float*, int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
  };
  const LatencyCheckOptions options{.latency = {.warmup_ms = 0, .duration_s = 0, .iterations = 5}};
  const Engine fast = Fake(wait(1)), slow = Fake(wait(20));
  EXPECT_EQ(CheckNotSlower(slow, &fast, options).status, CheckStatus::kFail);
  EXPECT_EQ(CheckNotSlower(fast, &slow, options).status, CheckStatus::kPass);
  EXPECT_EQ(CheckNotSlower(slow, nullptr, options).status, CheckStatus::kNotJudged);
}

}  // namespace
}  // namespace tenon
