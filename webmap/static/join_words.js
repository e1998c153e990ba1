// What the page says on which a phone becomes somebody's.

import { learn } from "./i18n.js";

learn({
  join_title: ["绑定这部手机", "Give this phone to somebody"],
  join_about: ["请输入席位上显示的 6 位绑定码。", "Type the six digits that the seat shows."],
  join_scanned: ["已扫码。确认后，这部手机的位置将记在席位指定的人员名下。", "Scanned. Once you confirm, this phone's positions are those of the person that the seat has chosen."],
  join_code: ["绑定码", "Code"],
  join_go: ["绑定", "Confirm"],
  join_busy: ["正在绑定…", "One moment…"],
  join_own: ["这部手机已设置过应用，继续使用", "The app on this phone is set up already: go on with it"],
  join_missing: ["请输入 6 位数字", "Type six digits"],
  join_offline: ["无法连接服务器，请检查网络后重试", "The server does not answer: check the network and try again"],
  join_whose: ["已绑定：{name}", "This phone is now {name}'s"],
  join_shift: ["本班结束后自动解除。", "Until the shift ends."],
  join_again: ["应用已经设置好，不用再做什么。", "The app is set up already; there is nothing more to do."],
  join_open: ["打开 {app} 并完成设置", "Open {app} and set it up"],
  join_install: ["没有反应？请先安装 {app}，再回到本页点按。", "Nothing happens? Install {app} first, then come back to this page."],
  join_by_hand: ["手工填写", "By hand"],
  join_browser: ["用这部手机的浏览器接任务", "Use this phone's browser"],
  join_browser_about: ["打开后请允许定位与相机，并添加到主屏幕。", "Allow the position and the camera there, and put it on the home screen."],
  join_mine: ["打开采集员页面", "Open the collector's page"],
  join_config: ["手持终端配置", "Configuration of the handheld"],
  join_once: ["密钥只显示这一次，请现在完成设置。", "The secret is shown this once: set the app up now."],
  copy_value: ["复制", "Copy"],
  value_copied: ["已复制", "Copied"],
});
