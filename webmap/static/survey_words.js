// The words of surveys.

import { learn } from "./i18n.js";

learn({
  survey_title: ["普查", "Surveys"],
  survey_key: ["普查：向多个网格布置同一任务（X）", "Surveys: one task to many grids (X)"],
  key_surveys: ["普查", "Surveys"],
  kind_survey: ["普查", "Survey"],
  survey_hint: ["普查内容，例如：清点网格内的路灯", "What is to be looked at, such as: count the street lamps"],
  survey_grids: ["网格", "Grids"],
  survey_on_map: ["在地图上点选", "Click on the map"],
  survey_choose: ["请选择街道，或在地图上点选网格", "Choose a street, or click grids on the map"],
  survey_count: ["已选 {n} 个网格，每个网格一项任务", "{n} grids, a task for each"],
  survey_due: ["期限", "Due"],
  survey_by_rules: ["按本市规则", "by the city's rules"],
  survey_day: ["1 天", "in 1 day"],
  survey_days: ["3 天", "in 3 days"],
  survey_week: ["7 天", "in 7 days"],
  survey_month: ["30 天", "in 30 days"],
  survey_send: ["布置普查", "Make the survey"],
  survey_sent: ["已布置到 {n} 个网格", "Given to {n} grids"],
  survey_earlier: ["最近的普查", "Earlier surveys"],
  survey_open_n: ["{n} 个未完成", "{n} to do"],
  survey_all: ["全部完成", "All done"],
  survey_done_n: ["{n} / {all} 个网格已完成", "{n} of {all} grids done"],
  survey_begun_n: ["{n} 个办理中", "{n} under way"],
  survey_ends: ["期限 {time}", "due {time}"],
  survey_nobody: ["无责任人", "nobody owns it"],
});
