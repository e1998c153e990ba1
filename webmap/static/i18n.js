// Every word that the console says, in Chinese and English, in one place.

const WORDS = {
  home: ["回到首页", "Home"],
  units: ["人员与车辆", "Units"],
  unit_count: ["{n} / {all}", "{n} / {all}"],
  in_view_only: ["仅当前视野", "In view only"],
  list_open: ["展开或收起列表", "Open or close the list"],
  search: ["搜索", "Search"],
  search_hint: ["姓名、队伍、街道", "Name, team, street"],
  team: ["队伍", "Team"],
  street: ["街道", "Street"],
  all_teams: ["全部队伍", "All teams"],
  all_streets: ["全部街道", "All streets"],
  filter_states: ["按状态筛选", "Filter by state"],
  nothing_matches: ["没有符合条件的人员或车辆", "No unit matches"],
  clear_filters: ["清除筛选", "Clear filters"],
  legend: ["图例", "Legend"],
  selected_unit: ["选中的人员或车辆", "Selected unit"],
  more: ["更多", "More"],
  close: ["关闭", "Close"],
  help: ["快捷键（?）", "Keyboard (?)"],
  logout: ["退出登录", "Log out"],
  phones: ["手机接入", "Phones"],
  storage: ["存储", "Storage"],
  switch_language: ["切换语言（L）", "Language (L)"],
  switch_theme: ["切换明暗（D）", "Light or dark (D)"],
  other_language: ["EN", "中"],
  layer_grids: ["责任网格（G）", "Responsibility grids (G)"],
  layer_cells: ["单元网格（C）", "Cells (C)"],
  layer_trails: ["轨迹：仅选中、全部、关闭（T）", "Trails: selected, all, off (T)"],
  layer_ground: ["底图（B）", "Base map (B)"],
  ground_none: ["仅网格", "Grids alone"],
  ground_own: ["自带地图", "Own map"],
  ground_shown: ["底图：{name}", "Base map: {name}"],
  ground_away: ["底图无法访问，仅显示网格", "Base map not reachable: showing grids alone"],
  ground_back: ["底图已恢复", "The base map is back"],
  zoom_in: ["放大（+）", "Zoom in (+)"],
  zoom_out: ["缩小（−）", "Zoom out (−)"],
  whole_city: ["全城（0）", "Whole city (0)"],
  cells_closer: ["放大后显示单元网格", "Zoom in to see the cells"],
  trails_selected: ["轨迹：仅选中", "Trails: selected unit"],
  trails_all: ["轨迹：全部", "Trails: all units"],
  trails_off: ["轨迹：关闭", "Trails: off"],

  chip_0: ["在线", "Online"],
  chip_1: ["无定位", "No fix"],
  chip_2: ["陈旧", "Stale"],
  chip_3: ["离线", "Offline"],
  chip_4: ["下班", "Off shift"],
  chip_sos: ["SOS", "SOS"],
  state_0: ["在线有定位", "Online, located"],
  state_1: ["在线无定位", "Online, no fix"],
  state_2: ["信号陈旧", "Stale"],
  state_3: ["离线", "Offline"],
  state_4: ["下班", "Off shift"],
  sos: ["SOS 求助", "SOS"],
  person: ["采集员", "Collector"],
  vehicle: ["巡逻车", "Patrol vehicle"],

  link_connecting: ["连接中", "Connecting"],
  link_live: ["实时", "Live"],
  link_broken: ["已中断", "Broken"],
  link_behind: ["滞后", "Behind"],
  banner_broken: ["连接中断，地图不是实时的", "Connection lost: the map is not live"],
  banner_broken_text: ["显示的是{age}的数据，正在自动重连", "Showing data from {age}; reconnecting"],
  banner_never: ["尚未收到数据，正在自动重连", "No data yet; reconnecting"],
  banner_behind: ["数据滞后，地图不是实时的", "The data lags: the map is not live"],
  banner_behind_text: ["位置比现场晚 {age}", "Positions are {age} behind"],
  retry_now: ["立即重连", "Reconnect now"],
  reconnected: ["已恢复实时", "Live again"],

  ago_now: ["刚刚", "just now"],
  ago_s: ["{n} 秒前", "{n} s ago"],
  ago_min: ["{n} 分钟前", "{n} min ago"],
  ago_h: ["{n} 小时前", "{n} h ago"],
  ago_d: ["{n} 天前", "{n} d ago"],
  span_s: ["{n} 秒", "{n} s"],
  span_min: ["{n} 分钟", "{n} min"],
  span_h: ["{n} 小时", "{n} h"],
  span_d: ["{n} 天", "{n} d"],
  never: ["从未定位", "never located"],
  never_seen: ["从未上线", "never seen"],
  unknown: ["—", "—"],
  colon: ["：", ": "],
  comma: ["、", ", "],
  headings: ["北 东北 东 东南 南 西南 西 西北", "N NE E SE S SW W NW"],

  fix_age: ["定位", "Fix"],
  last_seen: ["最近通信", "Last contact"],
  speed: ["速度", "Speed"],
  speed_value: ["{n} km/h", "{n} km/h"],
  standing: ["静止", "standing"],
  heading: ["航向", "Heading"],
  heading_value: ["{name} {n}°", "{name} {n}°"],
  accuracy: ["精度", "Accuracy"],
  accuracy_value: ["±{n} 米", "±{n} m"],
  battery: ["电量", "Battery"],
  own_grid: ["责任网格", "Own grid"],
  now_in: ["当前位置", "Now in"],
  in_own_grid: ["在本网格", "in own grid"],
  out_of_grid: ["不在本网格", "outside own grid"],
  outside_grids: ["网格之外", "outside all grids"],
  cell: ["单元网格", "Cell"],
  protocol: ["终端协议", "Device"],
  coordinates: ["坐标", "Position"],
  copy: ["复制坐标", "Copy position"],
  copied: ["坐标已复制", "Position copied"],
  follow: ["跟随", "Follow"],
  following: ["跟随中", "Following"],
  trail: ["轨迹", "Trail"],
  sos_from: ["SOS 求助：{name}", "SOS: {name} calls for help"],
  no_position: ["还没有位置", "No position yet"],
  speak_selected: ["已选中 {name}，{state}，{age}", "{name} selected, {state}, {age}"],

  keys: ["快捷键", "Keyboard"],
  key_search: ["搜索", "Search"],
  key_move: ["在列表中上下移动", "Move through the list"],
  key_select: ["选中并居中", "Select and centre"],
  key_follow: ["跟随选中的人员或车辆", "Follow the selected unit"],
  key_trails: ["轨迹：仅选中、全部、关闭", "Trails: selected, all, off"],
  key_grids: ["责任网格", "Responsibility grids"],
  key_cells: ["单元网格", "Cells"],
  key_ground: ["切换底图", "Base map"],
  key_zoom: ["放大、缩小", "Zoom in, out"],
  key_whole: ["全城", "Whole city"],
  key_language: ["中文 / English", "中文 / English"],
  key_theme: ["明暗切换", "Light or dark"],
  key_escape: ["取消选中、关闭", "Deselect, close"],
  key_phones: ["手机接入", "Phones"],
  key_storage: ["存储", "Storage"],
  key_wall: ["大屏模式", "Wall mode"],
  wall_on: ["大屏模式，按 W 返回", "Wall mode: press W to return"],
  key_help: ["显示本页", "Show this page"],

  error_load: ["未能读取{what}，稍后重试", "Could not load {what}; trying again"],
  what_grids: ["网格", "the grids"],
  what_basemap: ["底图", "the base map"],
  what_track: ["轨迹", "the trail"],
};

/** A page's own words join the others. */
export function learn(words) {
  Object.assign(WORDS, words);
}

let index = document.documentElement.lang.startsWith("zh") ? 0 : 1;
const listeners = [];

export function language() {
  return index === 0 ? "zh" : "en";
}

/** The words for `key` in the current language, with `{name}` places filled from `values`. */
export function t(key, values) {
  const entry = WORDS[key];
  const text = entry ? entry[index] : key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : text;
}

/** True when the dictionary knows `key`: codes that come from the server may be newer than this page. */
export function knows(key) {
  return key in WORDS;
}

export function setLanguage(name) {
  index = name === "zh" ? 0 : 1;
  document.documentElement.lang = index === 0 ? "zh-CN" : "en";
  translate(document);
  for (const listener of listeners) listener();
}

export function onLanguage(listener) {
  listeners.push(listener);
}

/** Fills the elements that name their words in `data-i18n*` attributes. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of root.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", t(node.dataset.i18nLabel));
  for (const node of root.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = t(node.dataset.i18nPlaceholder);
  for (const node of root.querySelectorAll("[data-i18n-title]")) {
    node.title = t(node.dataset.i18nTitle);
    node.setAttribute("aria-label", node.title);
  }
}
