// The words of the question why somebody looks at another one's data.

import { learn } from "./i18n.js";

learn({
  why_title: ["为什么查看{name}的数据？", "Why do you look at the data of {name}?"],
  why_note: ["将与您的账号一同记录在案，审计员和本人可以看到。", "It goes on record with your account. The auditor and the person can see it."],
  why_label: ["原因", "Reason"],
  why_presets: ["常用原因（按数字键选择）", "Usual reasons (press the number)"],
  why_go: ["继续", "Go on"],
  why_cancel: ["取消", "Cancel"],
  why_given: ["原因：{reason}", "Reason: {reason}"],
  why_change: ["更改", "Change"],
  why_1: ["投诉核查", "Complaint"],
  why_2: ["工作抽查", "Check of work"],
  why_3: ["失去联系", "Lost contact"],
  why_4: ["事故调查", "Accident"],
  why_5: ["本人申请", "Asked for by the person"],
  why_6: ["培训", "Training"],
});
