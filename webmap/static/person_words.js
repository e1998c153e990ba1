// What the sheet of a person's data says.

import { learn } from "./i18n.js";

learn({
  person_open: ["数据", "Data"],
  person_title: ["{name}的数据", "Data of {name}"],
  person_export: ["导出", "Export"],
  person_export_text: ["系统保存的全部数据：登记、轨迹、消息、指令和照片，打包为一个 ZIP，保留 7 天。", "All that is kept: registration, track, messages, commands and photos, as one ZIP that is kept for seven days."],
  person_export_make: ["制作导出", "Make an export"],
  person_export_again: ["重新制作", "Make a new one"],
  person_export_waiting: ["等待中", "Waiting for its turn"],
  person_export_running: ["{day}，第 {done} / {of} 天", "{day}, {done} of {of} days"],
  person_export_get: ["下载（{size}）", "Download ({size})"],
  person_export_until: ["制作于 {made}，可下载至 {until}", "Made {made}, there until {until}"],
  person_remove: ["永久删除", "Remove for good"],
  person_remove_text: ["删除此人在系统中的全部数据，无法撤销。其设备随即成为未知设备。归档记录会注明某日文件曾被改写，不含姓名。", "Everything that is kept of this person goes, and it cannot be undone. The devices are strangers from then on. The record of sealed days says that files were written anew, and names nobody."],
  person_remove_what: ["将删除：登记和 {devices} 台设备、全部位置与指令、{photos} 张照片、{exports} 个导出。", "This goes: registration with devices ({devices}), every position and command, photos ({photos}), exports ({exports})."],
  person_remove_begin: ["删除……", "Remove…"],
  person_remove_reason: ["原因（会保留，不得出现姓名、编号）", "Why (this is kept: no name, no id)"],
  person_remove_confirm: ["输入编号 {id} 以确认", "Type {id} to confirm"],
  person_remove_now: ["永久删除", "Remove for good"],
  person_remove_back: ["取消", "Cancel"],
  person_removing: ["正在删除", "Being removed"],
  person_step_stored: ["已登记，即使重启也会完成", "Promised: it goes on after a restart too"],
  person_step_live: ["实时状态", "Live state"],
  person_step_archive: ["历史数据 {day}", "History {day}"],
  person_step_files: ["清理文件", "Files"],
  person_step_done: ["完成", "Done"],
  person_removed: ["已删除", "Removed"],
  person_removed_text: ["凭据号 {ticket}。{when} 之前的备份可能仍含有这些数据。", "Ticket {ticket}. Backups made before {when} may still hold the data."],
  person_waits: ["暂停：{reason}", "It waits: {reason}"],
  person_lost: ["删除记录缺失，请重新申请", "The note of this removal is gone: ask for it again"],
});
