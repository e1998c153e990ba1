// The words of the page of seats.

import { learn } from "./i18n.js";

learn({
  map: ["地图", "Map"],
  to_map: ["回到地图（Esc）", "Back to the map (Esc)"],
  cancel: ["取消", "Cancel"],
  seats_title: ["席位", "Seats"],
  seats_add: ["新增席位（N）", "Add a seat (N)"],
  seats_new: ["新增席位", "A new seat"],
  seats_none: ["还没有席位", "No seats yet"],
  seats_about: ["席位的账号打开着控制台，或一分钟内有过操作，即为有人。值守时段内连续 5 分钟无人，列为缺岗；服务重启后重新计时。", "A seat is manned while an account of it has the console open, or has done something within a minute. Empty for five minutes in its hours, it counts as absent; a restart of the server begins anew."],
  seats_sum: ["{n} 个席位，{absent} 个缺岗", "{n} seats, {absent} absent"],
  seats_name: ["名称", "Name"],
  seats_accounts: ["值守账号", "Accounts that man it"],
  seats_accounts_note: ["以逗号分隔；留空则为本街道的全部街道席位账号", "Separated by commas; none means every street seat account of the street"],
  seats_hours: ["值守时段", "Hours"],
  seats_days: ["值守日", "Days"],
  seats_workdays: ["工作日（含调休）", "The city's workdays"],
  seats_weekdays: ["一 二 三 四 五 六 日", "Mo Tu We Th Fr Sa Su"],
  seats_save: ["保存", "Save"],
  seats_remove: ["删除席位", "Remove"],
  seats_remove_sure: ["再按一次删除", "Press again to remove"],
  seats_for: ["{state} {span}", "{state} for {span}"],
  seat_manned: ["有人", "Manned"],
  seat_waited_for: ["暂时无人", "Empty"],
  seat_absent: ["缺岗", "Absent"],
  seat_closed: ["非值守时段", "Closed"],
  retry_later: ["{text}，稍后重试", "{text}; trying again"],
});
