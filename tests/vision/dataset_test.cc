#include "vision/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "support/fixtures.h"
#include "vision/image_files.h"
#include "vision/label_file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class DatasetTest : public testing::Test {
 protected:
  DatasetTest() { fs::create_directories(folder_); }
  ~DatasetTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  Dataset Load(const std::string& name, const std::string& split = "val") const {
    return LoadDataset({.data = Path(name), .split = split});
  }
  std::string ErrorOf(const DatasetOptions& options) const {
    try {
      LoadDataset(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      return error.what();
    }
    return {};
  }
  std::vector<std::string> Stems(const Dataset& dataset) const {
    std::vector<std::string> stems;
    for (const Sample& sample : dataset.samples) stems.push_back(fs::path(sample.image_path).stem());
    return stems;
  }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("tenon dataset \xc3\xa4 {}", getpid());
};

TEST_F(DatasetTest, ReadsAnUltralyticsYaml) {
  Write("set/data.yaml", "path: ..\ntrain: x\nval: set/images/val\nnc: 2\nnames: [cat, dog]\n");
  for (const char* image : {"img10.jpg", "img2.jpg", "sub/a b\n\xc3\xbc.PNG", ".hidden.jpg", "x.txt"}) {
    Write(std::string("set/images/val/") + image, "");
  }
  Write("set/images/val/scan.tif", "");
  Write("set/labels/val/img2.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.1 0.1 0.1\n");
  Write("set/labels/val/sub/a b\n\xc3\xbc.txt", "0 0.5 0.5 1 1\n");
  const Dataset dataset = Load("set/data.yaml");
  EXPECT_THAT(Stems(dataset), ElementsAre("img2", "img10", "a b\n\xc3\xbc"));
  EXPECT_THAT(dataset.names, ElementsAre("cat", "dog"));
  EXPECT_EQ(dataset.instances, 3);
  EXPECT_EQ(dataset.images_unlabelled, 1);
  EXPECT_EQ(dataset.most_truths_in_an_image, 2);
  ASSERT_EQ(dataset.problems.size(), 1u);
  EXPECT_THAT(dataset.problems[0].ToString(), HasSubstr("scan.tif"));
  EXPECT_EQ(dataset.samples[0].truths[0].class_id, 1);
  EXPECT_FLOAT_EQ(dataset.samples[0].truths[0].height, 0.4f);
}

TEST_F(DatasetTest, NamesMayBeAMapOrOnlyCounted) {
  Write("images/1.jpg", "");
  Write("map.yaml", "val: images\nnames: {1: b, 0: a}\n");
  EXPECT_THAT(Load("map.yaml").names, ElementsAre("a", "b"));
  Write("count.yaml", "val: images\nnc: 2\n");
  EXPECT_THAT(Load("count.yaml").names, ElementsAre("class_0", "class_1"));
  Write("gap.yaml", "val: images\nnames: {0: a, 2: b}\n");
  EXPECT_THAT(ErrorOf({.data = Path("gap.yaml")}), HasSubstr("without gaps"));
  Write("differ.yaml", "val: images\nnc: 3\nnames: [a, b]\n");
  EXPECT_THAT(ErrorOf({.data = Path("differ.yaml")}), HasSubstr("2 names and nc: 3"));
}

TEST_F(DatasetTest, SplitsAreFoldersListsOfFoldersOrTextFiles) {
  Write("a/images/1.jpg", "");
  Write("b/images/2.jpg", "");
  Write("b/images/3.jpg", "");
  Write("list.txt", "\xef\xbb\xbf./a/images/1.jpg\r\n\n  b/images/3.jpg \n" + Path("b/images/2.jpg"));
  Write("data.yaml", "train: [a/images, b/images]\nval: list.txt\ntest: ../a\nnames: [x]\n");
  EXPECT_THAT(Stems(Load("data.yaml", "train")), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Stems(Load("data.yaml", "val")), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Stems(Load("data.yaml", "test")), ElementsAre("1"));
  EXPECT_EQ(LoadDataset({.data = Path("data.yaml"), .split = "train", .fraction = 0.5}).samples.size(), 2u);
  EXPECT_EQ(LoadDataset({.data = Path("data.yaml"), .split = "train", .fraction = 0.01}).samples.size(), 1u);
}

TEST_F(DatasetTest, EveryMistakeInTheYamlIsOneClearError) {
  Write("empty/readme.md", "");
  Write("no_val.yaml", "train: empty\nnames: [x]\n");
  EXPECT_THAT(ErrorOf({.data = Path("no_val.yaml")}), HasSubstr("no \"val\" (it has: train)"));
  Write("missing.yaml", "val: nowhere\nnames: [x]\n");
  EXPECT_THAT(ErrorOf({.data = Path("missing.yaml")}), HasSubstr("nowhere"));
  Write("nothing.yaml", "val: empty\nnames: [x]\n");
  EXPECT_THAT(ErrorOf({.data = Path("nothing.yaml")}), HasSubstr("empty data set"));
  Write("nameless.yaml", "val: empty\n");
  EXPECT_THAT(ErrorOf({.data = Path("nameless.yaml")}), HasSubstr("no class names"));
  for (const char* text :
       {"", "- a\n", "{{{", "val: {a: b}\nnames: [x]\n", "names: [[1]]\nval: empty\n", "nc: x\nval: empty"}) {
    Write("bad.yaml", text);
    EXPECT_THAT(ErrorOf({.data = Path("bad.yaml")}), HasSubstr("bad data set description")) << text;
  }
  EXPECT_THAT(ErrorOf({.data = Path("absent.yaml")}), HasSubstr("absent.yaml"));
  Write("good/1.jpg", "");
  Write("good.yaml", "val: good\nnames: [x]\n");
  EXPECT_THAT(ErrorOf({.data = Path("good.yaml"), .fraction = 0}), HasSubstr("--fraction"));
}

TEST_F(DatasetTest, LinkedFoldersAreWalkedOnce) {
  Write("images/a/1.jpg", "");
  fs::create_directory_symlink("..", folder_ / "images/a/up");
  Write("elsewhere/2.jpg", "");
  fs::create_directory_symlink("../elsewhere", folder_ / "images/link");
  EXPECT_EQ(FindImages(Path("images")).paths.size(), 2u);
}

TEST_F(DatasetTest, GlobsAndSingleFiles) {
  for (const char* name : {"g/a1.jpg", "g/a2.png", "g/b.jpg"}) Write(name, "");
  EXPECT_EQ(FindImages(Path("g/a*")).paths.size(), 2u);
  EXPECT_EQ(FindImages(Path("g/b.jpg")).paths.size(), 1u);
  EXPECT_EQ(FindImages(std::vector<std::string>{Path("g/a?.jpg"), Path("g")}).paths.size(), 4u);
  EXPECT_THROW(FindImages(Path("g/z*")), Error);
  EXPECT_THROW(FindImages(Path("nowhere.jpg")), Error);
}

TEST_F(DatasetTest, ReadsCoco) {
  Write("i/b.jpg", "");
  Write("c.json", R"({"images": [{"id": 9, "file_name": "z.jpg", "width": 10, "height": 10},
    {"id": 3, "file_name": "b.jpg", "width": 200, "height": 100}],
    "categories": [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [{"image_id": 3, "category_id": 7, "bbox": [20, 10, 40, 20], "area": 500, "iscrowd": 0},
      {"image_id": 3, "category_id": 2, "bbox": [0, 0, 5, 5], "iscrowd": 1},
      {"image_id": 4, "category_id": 2, "bbox": [0, 0, 5, 5]}, {"image_id": 3, "category_id": 5, "bbox": [0, 0, 5, 5]},
      {"image_id": 3, "category_id": 2, "bbox": [0, 0, -5, 5]}, {"image_id": 3, "category_id": 2}]})");
  const Dataset dataset = LoadDataset({.data = Path("c.json"), .images = Path("i")});
  EXPECT_THAT(dataset.names, ElementsAre("cat", "dog"));
  EXPECT_THAT(dataset.category_ids, ElementsAre(2, 7));
  ASSERT_EQ(dataset.samples.size(), 2u);
  EXPECT_EQ(dataset.samples[0].image_id, 3);
  ASSERT_EQ(dataset.samples[0].truths.size(), 2u);
  const Truth& truth = dataset.samples[0].truths[0];
  EXPECT_EQ(truth.class_id, 1);
  EXPECT_FLOAT_EQ(truth.cx, 0.2f);
  EXPECT_FLOAT_EQ(truth.height, 0.2f);
  EXPECT_EQ(truth.area_px, 500);
  EXPECT_TRUE(dataset.samples[0].truths[1].crowd);
  EXPECT_EQ(dataset.samples[0].truths[1].area_px, 25);
  EXPECT_EQ(dataset.instances, 1);
  EXPECT_EQ(dataset.problems.size(), 4u);
  EXPECT_THAT(ErrorOf({.data = Path("c.json"), .images = Path("nowhere")}), HasSubstr("--images"));
  for (const char* text : {"", "[]", "{}", R"({"images": 3, "categories": [], "annotations": []})"}) {
    Write("bad.json", text);
    EXPECT_THAT(ErrorOf({.data = Path("bad.json")}), HasSubstr("bad COCO json")) << text;
  }
}

TEST_F(DatasetTest, CocoIdsAreWholeNumbersAndStandOnce) {
  Write("b.jpg", "");
  const auto entries = [](std::initializer_list<const char*> ids, const char* rest) {
    std::string text;
    for (const char* id : ids) text += fmt::format("{}{{\"id\": {}, {}}}", text.empty() ? "" : ", ", id, rest);
    return text;
  };
  using Ids = std::initializer_list<const char*>;
  const auto write = [&](Ids images, Ids categories, const char* annotation) {
    Write("c.json", fmt::format(R"({{"images": [{}], "categories": [{}], "annotations": [{}]}})",
                                entries(images, R"("file_name": "b.jpg", "width": 9, "height": 9)"),
                                entries(categories, R"("name": "cat")"), annotation));
  };
  write({"7.0"}, {"1"}, R"({"image_id": 7, "category_id": 1.0, "bbox": [0, 0, 5, 5]})");
  EXPECT_EQ(LoadDataset({.data = Path("c.json")}).instances, 1);
  write({"7"}, {"1"}, R"({"image_id": 1e300, "category_id": 1, "bbox": [0, 0, 5, 5]})");
  EXPECT_EQ(LoadDataset({.data = Path("c.json")}).problems.size(), 1u);
  for (const char* ids : {"1e300", "1.5", "18446744073709551615"}) {
    write({ids}, {"1"}, "");
    EXPECT_THAT(ErrorOf({.data = Path("c.json")}), HasSubstr("whole number")) << ids;
  }
  write({"7", "7.0"}, {"1"}, "");
  EXPECT_THAT(ErrorOf({.data = Path("c.json")}), HasSubstr("image id twice"));
  write({"7"}, {"1", "2", "1"}, "");
  EXPECT_THAT(ErrorOf({.data = Path("c.json")}), HasSubstr("category id twice"));
}

TEST_F(DatasetTest, FixturesLoadWhole) {
  TENON_REQUIRE_FIXTURE(yaml, "coco.yaml");
  const Dataset val = LoadDataset({.data = yaml});
  EXPECT_EQ(val.samples.size(), 254u);
  EXPECT_EQ(val.instances, 2058);
  EXPECT_EQ(val.problems.size(), 0u);
  EXPECT_EQ(val.samples[0].image_id, 139);
  EXPECT_EQ(LoadDataset({.data = yaml, .split = "train"}).samples.size(), 257u);
}

std::string ProblemOf(const std::string& line) {
  const LabelFile labels = ParseLabels("0 0.5 0.5 0.1 0.1\n" + line + "\n1 0.5 0.5 0.2 0.2\n", "f.txt", {3, 0});
  EXPECT_EQ(labels.truths.size(), labels.problems.empty() ? 3u : 2u) << line;
  return labels.problems.empty() ? "" : labels.problems[0].ToString();
}

TEST(LabelFileTest, BadLinesAreNamedAndLeftOut) {
  EXPECT_EQ(ProblemOf("2 0.5 0.5 1 1"), "");
  EXPECT_EQ(ProblemOf("2.0 +5e-1 0.5 1.005 -0"), "");
  EXPECT_EQ(ProblemOf("2 -0.005 0.5 0.1 0.1"), "");
  EXPECT_THAT(ProblemOf("0 0.5 0.5 0.1"), HasSubstr("f.txt:2: got 4 values"));
  EXPECT_THAT(ProblemOf("0 0.5 0.5 0.1 0.1 0.9"), HasSubstr("got 6 values"));
  EXPECT_THAT(ProblemOf("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4"), HasSubstr("got 8 values"));
  EXPECT_THAT(ProblemOf("0 nan 0.5 0.1 0.1"), HasSubstr("got \"nan\", expected a finite number"));
  EXPECT_THAT(ProblemOf("0 inf 0.5 0.1 0.1"), HasSubstr("inf"));
  EXPECT_THAT(ProblemOf("0 1e999 0.5 0.1 0.1"), HasSubstr("1e999"));
  EXPECT_THAT(ProblemOf("0 0.5x 0.5 0.1 0.1"), HasSubstr("0.5x"));
  EXPECT_THAT(ProblemOf("0 320 240 10 10"), HasSubstr("got coordinate 320, expected at most 1"));
  EXPECT_THAT(ProblemOf("0 -0.2 0.5 0.1 0.1"), HasSubstr("got coordinate -0.2"));
  EXPECT_THAT(ProblemOf("0 0.5 0.5 -0.005 0.1"), HasSubstr("size of at least 0"));
  EXPECT_THAT(ProblemOf("3 0.5 0.5 0.1 0.1"), HasSubstr("got class 3, expected a whole number from 0 to 2"));
  EXPECT_THAT(ProblemOf("-1 0.5 0.5 0.1 0.1"), HasSubstr("got class -1"));
  EXPECT_THAT(ProblemOf("0.5 0.5 0.5 0.1 0.1"), HasSubstr("got class 0.5"));
}

TEST(LabelFileTest, PolygonsBecomeBoxes) {
  const LabelFile labels = ParseLabels("1 0.1 0.2 0.5 0.25 0.3 0.6\n", "f", {2, 0});
  ASSERT_EQ(labels.truths.size(), 1u);
  const Truth& t = labels.truths[0];
  EXPECT_FLOAT_EQ(t.cx, 0.3f);
  EXPECT_FLOAT_EQ(t.cy, 0.4f);
  EXPECT_FLOAT_EQ(t.width, 0.4f);
  EXPECT_FLOAT_EQ(t.height, 0.4f);
}

TEST(LabelFileTest, KeypointsAreSkipped) {
  const std::string line = "0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.9 0.9 2\n";
  const LabelFile labels = ParseLabels(line, "f", {1, 6});
  ASSERT_EQ(labels.truths.size(), 1u);
  EXPECT_FLOAT_EQ(labels.truths[0].width, 0.2f);
}

TEST(LabelFileTest, DuplicatesGoAndOtherwiseOrderStays) {
  const LabelFile ordered = ParseLabels(
      "\xef\xbb\xbf"
      "1 0.5 0.5 0.1 0.1\r\n\r\n0 0.5 0.5 0.1 0.1",
      "f", {2, 0});
  ASSERT_EQ(ordered.truths.size(), 2u);
  EXPECT_EQ(ordered.truths[0].class_id, 1);
  const LabelFile doubled = ParseLabels("1 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.10\n", "f", {2, 0});
  ASSERT_EQ(doubled.truths.size(), 2u);
  EXPECT_EQ(doubled.duplicates_removed, 1);
  EXPECT_EQ(doubled.truths[0].class_id, 0);
  // Two polygons with one bounding box are two objects.
  EXPECT_EQ(ParseLabels("0 0 0 1 0 1 1\n0 0 0 0 1 1 1\n", "f", {1, 0}).truths.size(), 2u);
  EXPECT_TRUE(ParseLabels("", "f", {1, 0}).truths.empty());
}

TEST(LabelFileTest, LabelsLieBesideImages) {
  EXPECT_EQ(LabelPath("/d/images/val/a.b.jpg"), "/d/labels/val/a.b.txt");
  EXPECT_EQ(LabelPath("/images/x/images/1.png"), "/images/x/labels/1.txt");
  EXPECT_EQ(LabelPath("/d/photos/1.png"), "/d/photos/1.txt");
  EXPECT_EQ(LabelPath("/d.x/photo"), "/d.x/photo.txt");
}

TEST(NaturalLessTest, NumbersCountAsNumbers) {
  const std::vector<std::string> order = {"a", "a1", "a2", "a10", "a10b", "b", "b01", "b1", "b002", "c"};
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t j = 0; j < order.size(); ++j) EXPECT_EQ(NaturalLess(order[i], order[j]), i < j) << order[i] << order[j];
  }
}

}  // namespace
}  // namespace tenon
