// What the page of a comparison says, in English and Chinese (language.js). Names of metrics, of options and what the
// program says of runs (why one was left out, what could not be tested) are in English.

const state = { language: preferredLanguage() };
const WORDS = {
  en: {
    title: "%runs% of %configurations%", tab: "%title%: attnfocus compare", contents: "Data sets",
    runsCount: "%number% runs", runsCountOne: "1 run", configurationsCount: "%number% configurations", configurationsCountOne: "1 configuration",
    leftOut: "Left out", legendTitle: "What the numbers are",
    legend: "mean \u00b1 sample standard deviation over the seeds; (n=1): from so many runs, fewer than the row has. \u2191 more is better, \u2193 less is.",
    legendDifferences: " Difference: mean over the seeds that both have, with its 95 % interval (Student's t, one difference per seed). p: of each seed's two runs on their test examples (McNemar's exact test; paired bootstrap for BLEU and chrF; paired randomization for errors of numbers); it says nothing about other seeds%corrected%.",
    legendCorrected: ", and is corrected for the %number% comparisons with the baseline (Holm)", legendUpTo: ", and is corrected for up to %number% comparisons with the baseline (Holm)",
    runs: "Runs", runsTable: "Table of runs", runsColumn: "runs", eachRun: "each run", sort: "sort", seed: "seed %seed%", baseline: "baseline",
    runsHint: "Mean \u00b1 sample standard deviation over the seeds; circles are single runs, the filled mark their mean, on one axis for each column. Choose a heading to sort. \u2605 is the best mean, which says nothing about chance: see the differences.",
    better_max: "more is better", better_min: "less is better", range: "%low% to %high%",
    onTest: "test %name%", onValid: "valid %name%", metric_seconds: "time", metric_parameters: "parameters", metric_words_per_second: "words/s",
    curves: "Learning curves", curvesShown: "Curves that are shown", noCurve: "No curve is chosen.", metric: "Metric", step: "step",
    curvesHint: "Evaluations on valid: the mean over the seeds, with a band of one sample standard deviation; dotted where fewer seeds are left.",
    curvesMore: " The curves of %number% more configurations are not in this page.", curvesMoreOne: " The curves of 1 more configuration are not in this page.",
    curveLabel: "Learning curves: %name% of %configurations%. Arrow keys read the values.", axis: "%name%, %better%", atStep: "step %step%: %values%",
    differences: "Differences", differencesTo: "Differences to %name%", differencesPart: "Differences to the baseline",
    configuration: "configuration", difference: "difference", interval: "95 % interval", p: "p", pCorrected: "p, corrected (Holm)", oneSeed: "one seed",
    sideOfLine: ": %better%, %side%", side_max: "right of the line is better", side_min: "left of the line is better", chanceOfSeed: "seed %seed%: p %p%, corrected %corrected%",
    forestHint: "%metric% less that of %baseline%%side%. Circles are seeds, the bar is the 95 % interval of their mean (Student's t): where it crosses the dashed line, another seed may well turn the order around. p is of each seed's two models on the same test examples%corrected%.",
    correctedFor: ", corrected for %number% comparisons",
    example: "One example", exampleTitle: "One input, %number% attentions", exampleTitleOne: "One input, 1 attention",
    exampleHint: "Where the first run of each configuration looks at this input: the mean over the heads of one attention. Shaded is the mean over the rows of the map, which stands below where it is small.",
    rightAnswer: "right: %answer%", answer: "answer: %answer%", empty: "(empty)", isRight: "right", isWrong: "wrong",
    scale: "Scale", scaleOne: "0 to 1", scaleLargest: "0 to %largest%, the largest of all", sameForAll: "%largest%, the same for all",
    ofHeads: ", mean of %number% heads", looksNowhere: "looks nowhere", looksAt: "looks at %used% of %number% positions", looksAtOne: "looks at its one position",
    spread: "%attention%%heads%; %looks%; uniform would be %uniform% each", nearly: "Nearly uniform: it looks everywhere alike.", mapOf: "Map of %name%",
  },
  zh: {
    title: "%configurations%，%runs%", tab: "%title%：attnfocus compare", contents: "数据集",
    runsCount: "%number% 次运行", configurationsCount: "%number% 种配置",
    leftOut: "未计入", legendTitle: "数字的含义",
    legend: "各种子的平均 ± 样本标准差；(n=1)：只来自这么多次运行，少于该行的次数。↑ 越大越好，↓ 越小越好。",
    legendDifferences: "差：双方都有的种子上的平均，附 95 % 区间（Student t，每个种子一个差）。p：每个种子的两次运行在其测试样例上的比较（McNemar 精确检验；BLEU 与 chrF 用配对自助法）；不涉及其他种子%corrected%。",
    legendCorrected: "，并按与基线的 %number% 个比较校正（Holm）", legendUpTo: "，并按与基线的至多 %number% 个比较校正（Holm）",
    runs: "运行", runsTable: "运行表", runsColumn: "运行数", eachRun: "每次运行", sort: "排序", seed: "种子 %seed%", baseline: "基线",
    runsHint: "各种子的平均 ± 样本标准差；圆圈是单次运行，实心标记是其平均，每列共用一轴。选列标题排序。★ 是最好的平均，与偶然性无关：见差异。",
    better_max: "越大越好", better_min: "越小越好", range: "%low% 至 %high%",
    onTest: "测试集 %name%", onValid: "验证集 %name%", metric_seconds: "时间", metric_parameters: "参数", metric_words_per_second: "词/秒",
    curves: "学习曲线", curvesShown: "显示的曲线", noCurve: "没有选曲线。", metric: "指标", step: "步",
    curvesHint: "验证集上的评估：各种子的平均，带为一个样本标准差；种子变少处为点线。",
    curvesMore: "另有 %number% 种配置的曲线不在本页中。",
    curveLabel: "学习曲线：%configurations%的 %name%。方向键读数。", axis: "%name%，%better%", atStep: "第 %step% 步：%values%",
    differences: "差异", differencesTo: "与 %name% 的差", differencesPart: "与基线的差",
    configuration: "配置", difference: "差", interval: "95 % 区间", p: "p", pCorrected: "p，已校正（Holm）", oneSeed: "一个种子",
    sideOfLine: "：%better%，%side%", side_max: "线的右边更好", side_min: "线的左边更好", chanceOfSeed: "种子 %seed%：p %p%，校正后 %corrected%",
    forestHint: "%metric% 减去 %baseline% 的%side%。圆圈是种子，横条是其平均的 95 % 区间（Student t）：它与虚线相交时，换一个种子可能颠倒次序。p 来自每个种子的两个模型在相同测试样例上的比较%corrected%。",
    correctedFor: "，按 %number% 个比较校正",
    example: "一个样例", exampleTitle: "一个输入，%number% 种注意力",
    exampleHint: "每种配置的第一次运行在此输入上看哪里：一个注意力各头的平均。着色是矩阵各行的平均；矩阵不大时列在下面。",
    rightAnswer: "正确答案：%answer%", answer: "回答：%answer%", empty: "（空）", isRight: "正确", isWrong: "错误",
    scale: "色标", scaleOne: "0 到 1", scaleLargest: "0 到 %largest%，所有权重中的最大值", sameForAll: "%largest%，全部共用",
    ofHeads: "，%number% 个头的平均", looksNowhere: "哪里也不看", looksAt: "看 %number% 个位置中的 %used% 个",
    spread: "%attention%%heads%；%looks%；均匀时每个 %uniform%", nearly: "几乎均匀：处处看得一样多。", mapOf: "%name% 的矩阵",
  },
};

/** A metric as people read it: `test accuracy`; costs have words of their own. */
function metricName({ key, name }) {
  const known = `metric_${key}`;
  if (known in WORDS.en) return word(known);
  for (const [split, of] of [["test/", "onTest"], ["valid/", "onValid"]])
    if (key.startsWith(split) && name.startsWith(split.slice(0, -1))) return word(of, { name: name.slice(split.length) });
  return name;
}

const betterWords = (better) => (better ? word(`better_${better}`) : "");
