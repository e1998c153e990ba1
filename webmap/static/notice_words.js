// The words of notices.

import { learn } from "./i18n.js";

learn({
  notice_title: ["今日提示", "Notices"],
  notice_key: ["今日提示：发给街道、队伍或全部在岗人员（Z）", "Notices to a street, a team or all on duty (Z)"],
  key_notices: ["今日提示", "Notices"],
  notice_hint: ["写给大家的话，最多 500 字", "What everybody should know, up to 500 characters"],
  notice_street: ["街道", "Street"],
  notice_team: ["队伍", "Team"],
  notice_listed: ["列表中的 {n} 个", "The {n} listed"],
  notice_until: ["有效至", "Shown until"],
  notice_today: ["今天结束", "the end of today"],
  notice_hour: ["1 小时后", "in 1 hour"],
  notice_hours: ["4 小时后", "in 4 hours"],
  notice_days: ["3 天后", "in 3 days"],
  notice_week: ["7 天后", "in 7 days"],
  notice_off: ["不在岗的也发，上岗后显示", "Also to those off duty, when they come"],
  notice_count: ["将发给 {n} 个在岗的人员或车辆", "Goes to {n} on duty"],
  notice_count_all: ["将发给 {n} 个人员或车辆", "Goes to {n}"],
  notice_nobody: ["没有可发送的人员或车辆", "Nobody to send it to"],
  notice_send: ["发送", "Send"],
  notice_sent: ["已发给 {n} 个", "Sent to {n}"],
  notice_earlier: ["最近的提示", "Earlier notices"],
  notice_none: ["还没有提示", "No notices yet"],
  notice_read_n: ["{n} / {all} 已读", "{n} of {all} have read it"],
  notice_has_n: ["{n} 个已送达", "{n} have it"],
  notice_read: ["已读 {time}", "Read {time}"],
  notice_has: ["已送达 {time}", "Has it {time}"],
  notice_waits: ["未送达", "Not yet"],
  notice_ends: ["有效至 {time}", "until {time}"],
  notice_ended: ["已于 {time} 失效", "over since {time}"],
});
