// The words of the rota page, and days in words.

import { language, learn, t } from "./i18n.js";

learn({
  map: ["地图", "Map"],
  to_map: ["返回地图", "Back to the map"],
  rota: ["排班与考勤", "Rota and attendance"],
  rota_of: ["排班表：方向键移动，Shift 加方向键选择，数字或字母排班", "Rota: arrows move, Shift and arrows select, digits and letters give shifts"],
  rota_read: ["排班表：方向键移动", "Rota: arrows move"],
  earlier: ["前一段", "Earlier"],
  later: ["后一段", "Later"],
  today: ["今天", "Today"],
  view: ["显示", "View"],
  week: ["周", "Week"],
  month: ["月", "Month"],
  rota_search: ["姓名", "Name"],
  undo: ["撤销（Ctrl+Z）", "Undo (Ctrl+Z)"],
  redo: ["重做（Ctrl+Y）", "Redo (Ctrl+Y)"],
  repeat_last: ["重复上周", "Repeat last week"],
  repeat_done: ["已按上周排班，{n} 处更改", "As last week: {n} changes"],
  fill: ["批量排班…", "Fill…"],
  shifts: ["班次…", "Shifts…"],
  deadline: ["时限…", "Deadline…"],
  attendance_table: ["下载考勤表（CSV）", "Attendance as a table (CSV)"],
  palette: ["班次：点选后在表中涂画", "Shifts: choose one, then paint"],
  select_only: ["选择", "Select"],
  off: ["休", "Off"],
  off_brief: ["休", "–"],
  off_long: ["休息", "Day off"],
  clear: ["清除", "Clear"],
  nobody: ["没有符合条件的人员", "Nobody matches"],
  no_shifts: ["还没有班次：请先点“班次…”添加", "No shifts yet: add some with “Shifts…”"],
  holiday: ["休", "off"],
  makeup: ["班", "work"],
  makeup_of: ["{name}调休上班", "worked for {name}"],
  unknown_year: ["{year} 年的节假日安排未知，周末按常规显示", "The holidays of {year} are not known: weekends are shown as they are"],
  people_on: ["{n} 人在班", "{n} on shift"],
  hours_of: ["{n} 小时", "{n} h"],
  minutes: ["{n} 分", "{n} min"],

  state_absent: ["缺勤", "absent"],
  state_awaited: ["未到岗", "not here yet"],
  state_unknown: ["无法判断", "not known"],
  unknown_why: ["服务器在部分时段没有接收数据，因此不能认定缺勤或迟到", "The server heard nothing for a part of it, so nobody is called absent or late"],
  late: ["迟到 {n}", "late {n}"],
  early: ["早退 {n}", "early {n}"],
  off_post: ["离岗 {n}", "off post {n}"],
  in_grid: ["在网格 {n}%", "in grid {n}%"],
  with_fix: ["有定位 {n}%", "with fix {n}%"],
  first_last: ["首末定位 {a} – {b}", "first and last fix {a} – {b}"],
  on_duty_of: ["在岗 {a} / {b} 小时", "on duty {a} of {b} h"],
  present: ["正常", "present"],
  told: ["本人或席位报到", "as told"],
  seen: ["由定位推断", "as seen from fixes"],
  reading: ["考勤读取中：{n} / {all} 人", "Reading attendance: {n} of {all} people"],

  nothing_planned: ["未排班", "nothing planned"],
  own_grids: ["网格 {list}", "grids {list}"],
  no_grid: ["无责任网格", "no grid of one's own"],
  change_grids: ["本班网格…", "Grids of this shift…"],
  grids_title: ["本班网格", "Grids of this shift"],
  grids_hint: ["网格编号，用逗号隔开；留空则为本人的责任网格", "Ids of grids, separated by commas; empty for the person's own"],
  selected_cells: ["已选 {n} 格", "{n} cells"],
  keys_hint: ["方向键移动 · Shift 选择 · 数字字母排班 · 0 休 · Delete 清除 · Ctrl+C/V 复制粘贴", "Arrows move · Shift selects · digits and letters give shifts · 0 off · Delete clears · Ctrl+C/V copies"],

  save: ["保存", "Save"],
  add: ["添加", "Add"],
  apply: ["排班", "Plan"],
  cancel: ["取消", "Cancel"],
  remove: ["停用", "Remove"],
  shifts_title: ["班次", "Shifts"],
  shift_name: ["名称", "Name"],
  shift_periods: ["时段", "Hours"],
  shift_colour: ["颜色", "Colour"],
  shift_from: ["时段自此日起", "Hours from"],
  shift_hint: ["如 08:00-12:00 14:00-18:00；跨夜写作 22:00-06:00", "Such as 08:00-12:00 14:00-18:00; over midnight 22:00-06:00"],
  shift_new: ["新班次", "New shift"],
  shift_retired: ["已停用，仍显示于历史", "No longer given; shown where it was"],
  city_only: ["班次全市通用，您的账号只能查看", "Shifts are those of the whole city: your account may only look"],
  fill_title: ["批量排班", "Fill"],
  fill_text: ["给列表中的 {n} 人排 {a} 至 {b}", "Plan {a} to {b} for the {n} people in the list"],
  fill_pattern: ["按此顺序循环（点击添加，再点已选的移除）", "This order, over and over (click to add; click one of these to remove it)"],
  fill_rotate: ["每人依次错开天数", "Each next person begins so many days later"],
  fill_workdays: ["只排工作日，节假日与周末休息", "Workdays only; days off on weekends and holidays"],
  fill_none: ["先选班次", "choose shifts first"],
  deadline_title: ["工作时限", "Deadline in working time"],
  deadline_start: ["开始", "Start"],
  deadline_limit: ["时限（工作小时）", "Limit (working hours)"],
  deadline_told: ["到期：{text}", "Due: {text}"],

  person_week: ["{name} 的一周", "{name}: a week"],
  all_people: ["全部人员", "Everybody"],
});

const DAY_MS = 86_400_000;
const stamp = (day) => Date.parse(`${day}T00:00:00Z`);

/** The day so many days later. */
export const shifted = (day, by) => new Date(stamp(day) + by * DAY_MS).toISOString().slice(0, 10);

/** 1 for Monday. */
export const weekday = (day) => new Date(stamp(day)).getUTCDay() || 7;

/** The days from one to another. */
export function daysOf(first, last) {
  const found = [];
  for (let day = first; day <= last; day = shifted(day, 1)) found.push(day);
  return found;
}

/** First and last day of the week or month that holds a day. */
export function spanOf(view, day) {
  if (view === "week") {
    const first = shifted(day, 1 - weekday(day));
    return [first, shifted(first, 6)];
  }
  const [year, month] = day.split("-").map(Number);
  const first = `${day.slice(0, 8)}01`;
  return [first, new Date(Date.UTC(year, month, 0)).toISOString().slice(0, 10)];
}

const format = (options) => new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en-GB", { ...options, timeZone: "UTC" });

export const dayWord = (day) => format({ month: "short", day: "numeric", weekday: "short" }).format(stamp(day));
export const weekdayWord = (day, length = "short") => format({ weekday: length }).format(stamp(day));

/** A week or month in words. */
export function periodWord(view, first, last) {
  if (view === "month") return format({ year: "numeric", month: "long" }).format(stamp(first));
  const whole = format({ year: "numeric", month: "short", day: "numeric" });
  return whole.formatRange(stamp(first), stamp(last));
}

/** What stands behind a day in the calendar, or nothing on a usual day. */
export function holidayWord(day) {
  const name = language() === "zh" ? day.zh : day.en;
  if (day.kind === "holiday") return name;
  return day.kind === "makeup" ? (name ? t("makeup_of", { name }) : t("makeup")) : "";
}

/** A duration in ms as minutes, or as hours from two of them on; what is more than nothing is never 0. */
export function lengthWord(ms) {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return minutes < 120 ? t("minutes", { n: minutes }) : t("hours_of", { n: (minutes / 60).toFixed(1).replace(/\.0$/, "") });
}
