// What the page says, in English and Chinese. See language.js.

const WORDS = {
  en: {
    title: "Where %model% looks", tab: "%model%, %attention%, %dataset%: where it looks",
    facts: "attention %attention%, data %dataset%, %checkpoint% checkpoint (step %step%) of %run%", factsMinus: "; compared with %name%",
    example: "Example", search: "Search examples", method: "Method", attention: "Attention", head: "Head", minus: "Minus", twin: "the same of %name%", scale: "Scale",
    cell: "Cell size", words: "Whole words", none: "nothing", model: "the whole model", headNumber: "head %number%", meanOf: "mean of %number%",
    found: "%number% of %all%", scaleOne: "0 to 1", scaleLargest: "0 to the largest", scaleUniform: "times uniform",
    legendOne: "Weight. One scale for text, matrix and heads",
    legendLargest: "Weight, up to the largest of all heads. One scale for text, matrix and heads",
    legendSigned: "Blue adds, orange takes away. One scale for text, matrix and heads",
    legendMinus: "Blue: more in %first%; orange: more in %second%",
    legendUniform: "Times uniform: \u00d7 1 is 1/%keys%. One scale for text, matrix and heads", uniformMark: "uniform: 1/%keys%",
    input: "Input", output: "Output", answer: "Answer", inData: "In the data", right: "right", wrong: "wrong", same: "as in the data", differs: "differs from the data",
    queriesSelf: "Positions that look", keysSelf: "Positions looked at", keysOutput: "Output so far", choose: "Choose one to see what it reads; Escape for all.",
    matrix: "Matrix", rows: "Rows: %rows%. Columns: %columns%. Click, or focus it and use the arrow keys; Escape shows all rows again.",
    parts: "Parts of the model", patched: "Where a part is put back", rowsPatched: "parts of the model", columnsPatched: "where each is put back",
    rowsSelf: "positions that look", rowsOutput: "output", columnsSelf: "positions looked at", columnsRead: "what is read",
    size: "%rows% rows, %columns% columns", overview: "Overview: means of blocks. Click to go there.",
    sketch: "Details are left out, since there are too many weights for one page: the %number% largest of each row, and means of blocks.",
    heads: "Heads", mean: "mean", glance: "All heads", glanceHint: "Layers down, heads across, colored by a measure from %low% to %high%. Choose a cell to open it.",
    measure: "Measure", readMost: "Read most", countsMost: "Counts most", differsMost: "Differs most", forToken: "%what% for %token%",
    kindsHint: "Names by the weights over some test examples (docs/heads.md).",
    kinds: { "previous token": "weight on the position before the query's own", "next token": "weight on the position after the query's own", "first token": "weight on the first position", "same offset": "weight on the position at one other offset", "same token": "weight on other positions that hold the query's own token", induction: "weight on positions whose token before is the query's own", separator: "weight on punctuation, blanks and special tokens", alignment: "weight on what translates the output", diffuse: "weight spread over all positions", mixed: "no rule fits" },
    focus: "Focus", focusHint: "Means over the rows of each head in this example. Choose one to see it; arrow keys move. \u2191: higher is more focused, \u2193: less.", measures: "All measures (%number% rows)", measuresOne: "All measures (1 row)",
    trust: "Can the weights be trusted?", trustHint: "[a, b]: 95 % interval over examples. \u2191 higher, \u2193 lower speaks for the weights.", untested: "Not tested for these weights. This does: ", untestedLast: "Not tested for these weights: only what was found of the best checkpoint is kept.",
    spread: "Looks at about %used% of %all% positions%rows%.", nearly: "Nearly uniform: %used% of %all% positions are looked at%rows% (normalized entropy %entropy%). Differences in color mean little here.", meanOfRows: ", mean over the rows",
    allRows: "all rows, mean", isChosen: "%token% is chosen",
    shown: "Example %number% of %all%. %method%%name%, %head%. Scale: %scale%.",
    goldLinks: "Known alignment: %agree% agree, %missed% missed, %extra% extra. Compared is the position with most weight of each output token whose link is known.",
    goldRationale: "Evidence in the data: %agree% agree, %missed% missed, %extra% extra. Compared are the %number% positions with most weight.",
    goldRationaleOne: "Evidence in the data: %agree% agree, %missed% missed, %extra% extra. Compared is the position with most weight.",
    agree: "agrees", missed: "missed", extra: "extra",
    copy: "Copy numbers", tsv: "Download TSV", svg: "Download SVG", link: "Copy link", copied: "Copied.", notCopied: "The browser does not allow copying here.",
    old: "This browser is too old to unpack the weights. The same numbers are in inspect.json.",
    controls: "What to show", examplePart: "The example", matrixPart: "Alignment matrix",
  },
  zh: {
    title: "%model% 在看哪里", tab: "%model%，%attention%，%dataset%：在看哪里",
    facts: "注意力 %attention%，数据 %dataset%，运行 %run% 的 %checkpoint% 检查点（第 %step% 步）", factsMinus: "；与 %name% 比较",
    example: "样例", search: "搜索样例", method: "方法", attention: "注意力", head: "头", minus: "减去", twin: "%name% 的同一项", scale: "色标",
    cell: "格子大小", words: "合并为整词", none: "无", model: "整个模型", headNumber: "头 %number%", meanOf: "%number% 个头的平均",
    found: "%number% / %all%", scaleOne: "0 到 1", scaleLargest: "0 到最大值", scaleUniform: "均匀的倍数",
    legendOne: "权重。文本、矩阵和各头共用一个色标",
    legendLargest: "权重，到所有头的最大值。文本、矩阵和各头共用一个色标",
    legendSigned: "蓝色为正，橙色为负。文本、矩阵和各头共用一个色标",
    legendMinus: "蓝色：%first% 更大；橙色：%second% 更大",
    legendUniform: "均匀的倍数：\u00d7 1 即每个位置 1/%keys%。文本、矩阵和各头共用一个色标", uniformMark: "均匀：1/%keys%",
    input: "输入", output: "输出", answer: "回答", inData: "数据中", right: "正确", wrong: "错误", same: "与数据相同", differs: "与数据不同",
    queriesSelf: "在看的位置", keysSelf: "被看的位置", keysOutput: "已有的输出", choose: "选一个，看它读了什么；Esc 显示全部。",
    matrix: "矩阵", rows: "行：%rows%。列：%columns%。点击，或聚焦后用方向键；Esc 显示所有行。",
    parts: "模型的部件", patched: "部件放回之处", rowsPatched: "模型的部件", columnsPatched: "各部件放回之处",
    rowsSelf: "在看的位置", rowsOutput: "输出", columnsSelf: "被看的位置", columnsRead: "被读的内容",
    size: "%rows% 行，%columns% 列", overview: "概览：各块的平均。点击前往。",
    sketch: "权重太多，一页放不下，细节从略：每行最大的 %number% 个，以及各块的平均。",
    heads: "头", mean: "平均", glance: "所有的头", glanceHint: "纵向为层，横向为头，按指标着色，从 %low% 到 %high%。选一格打开。",
    kindsHint: "名字按一些测试样例上的权重而定（docs/heads.md）。",
    kinds: { "previous token": "权重在查询前面的位置", "next token": "权重在查询后面的位置", "first token": "权重在第一个位置", "same offset": "权重在另一个固定偏移处的位置", "same token": "权重在与查询词元相同的其他位置", induction: "权重在前一个词元是查询自己的词元的位置", separator: "权重在标点、空白和特殊词元上", alignment: "权重在翻译该输出的词元上", diffuse: "权重分散在所有位置", mixed: "没有合适的规则" },
    measure: "指标", readMost: "读得最多", countsMost: "影响最大", differsMost: "差别最大", forToken: "%what%:%token%",
    focus: "集中程度", focusHint: "本例中每个头各行的平均。选一行查看；方向键移动。\u2191：越高越集中，\u2193：越高越分散。", measures: "全部指标（%number% 行）",
    trust: "权重可信吗?", trustHint: "[a, b]：样例的 95 % 区间。\u2191 越高、\u2193 越低，越支持这些权重。", untested: "这些权重没有测试过。测试用：", untestedLast: "这些权重没有测试过：只保留最佳检查点的结果。",
    spread: "约看 %all% 个位置中的 %used% 个%rows%。", nearly: "几乎均匀：看 %all% 个位置中的 %used% 个%rows%（归一化熵 %entropy%）。此处颜色的差别意义不大。", meanOfRows: "（各行平均）",
    allRows: "所有行的平均", isChosen: "已选 %token%",
    shown: "第 %number% 个样例，共 %all% 个。%method%%name%，%head%。色标：%scale%。",
    goldLinks: "已知对齐：一致 %agree%，漏掉 %missed%，多出 %extra%。比较的是每个有已知对齐的输出词元权重最大的位置。",
    goldRationale: "数据中的证据：一致 %agree%，漏掉 %missed%，多出 %extra%。比较的是权重最大的 %number% 个位置。",
    agree: "一致", missed: "漏掉", extra: "多出",
    copy: "复制数字", tsv: "下载 TSV", svg: "下载 SVG", link: "复制链接", copied: "已复制。", notCopied: "浏览器不允许在此复制。",
    old: "浏览器太旧，无法解压权重。同样的数字在 inspect.json 中。",
    controls: "显示什么", examplePart: "样例", matrixPart: "对齐矩阵",
  },
};
const METHODS_ZH = { attention: "注意力", attention_norm: "注意力×值的范数", attention_block_norm: "注意力块的范数", value_zeroing: "值置零", attn_lrp: "AttnLRP", gradient_input: "梯度×输入", integrated_gradients: "积分梯度", leave_one_out: "逐一去除", gradient: "梯度", patch_heads: "放回注意力头", patch_positions: "按位置放回注意力头", patch_states: "放回层状态", patch_weights: "放回权重" };

const ARROWS = { higher: "\u2191", lower: "\u2193", "": "" };
const name = (text) => text.replaceAll("_", " ");
const methodName = (method) => (state.language === "zh" && METHODS_ZH[method]) || name(method);
/** A token without the blank before it; one of blanks alone shows them. */
const label = (token) => (token === "" ? "\u2205" : (token.replace(/^\u2581+/, "") || token).replaceAll("\u2581", "\u2423"));
const isSpecial = (token) => /^<[a-z/]+>$/.test(token);

function figure(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.0005) return value.toExponential(1);
  return size < 0.01 ? value.toFixed(4) : value.toFixed(size < 10 ? 3 : 1);
}

/** As few digits as an end of a scale needs. */
const short = (value) => String(Number(value.toPrecision(3)));

function element(kind, text, classes) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}
