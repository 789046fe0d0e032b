'use strict';
(() => {
  const MOST_ROWS = 500, MOST_BARS = 12, MOST_STORAGE = 20, MOST_UNSEEN = 200;
  const STATES = {
    failed: 'Repair failed', unread: 'Not read', violation: 'Needs a person', differs: 'Differs', kept: 'Kept as chosen',
    repaired: 'Repaired', exempt: 'Exempt', compliant: 'Compliant', undecided: 'No rule for it', gone: 'Deleted meanwhile',
  };
  const ORDER = Object.fromEntries(Object.keys(STATES).map((name, at) => [name, at]));
  const BAD = new Set(['failed', 'unread', 'violation', 'differs']);
  const UNJUDGED = new Set(['undecided', 'exempt', 'unread', 'gone']);
  const SEVERITIES = ['critical', 'high', 'medium', 'low', 'informational', 'undefined'];
  const SHADES = ['failed', 'violation', 'differs', 'repaired', 'exempt', 'undecided'];
  const AGES = ['to 7 days', 'to 30', 'to 90', 'to 365', 'older'];
  const NO_TEAM = 'No team';
  const GB = 1024 ** 3, ARCHIVE_AT_FULL_PRICE = 150 * 1024 ** 4, ARCHIVE_SHARE = 0.7;
  // Control characters, halves of surrogate pairs, what turns the direction of a text, and what has no width.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

  let summary, prices, rows = [], matching = [];
  let sorting = { column: 'state', isUp: true };
  const chosen = { search: '', account: null, region: null, team: null, section: null, standing: null, rule: null };
  const opened = new Set();

  const at = id => document.getElementById(id);
  const clean = text => String(text).replace(/\s+/g, ' ').replace(HIDDEN, '\ufffd');
  const number = value => value.toLocaleString('en-US');
  const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
  const short = value => (value < 10000 ? number(value) : value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 }));
  const day = text => (text ? text.slice(0, 10) : '');
  const percent = share => (share === null ? '–' : `${share === 1 ? 100 : Math.min(Math.floor(share * 1000) / 10, 99.9)}%`);

  function size(bytes) {
    const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
    let value = bytes, unit = 0;
    while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return `${value.toFixed(unit && value < 100 ? 1 : 0)} ${units[unit]}`;
  }

  function dollars(value) {
    if (value > 0 && value < 0.01) return 'under $0.01';
    const digits = value >= 1000 ? 0 : 2;
    return `$${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
  }

  const cost = (bytes, share = 1) => (bytes / GB) * prices.price * share;
  function costOf(registry) {
    const above = Math.max(registry.archive - ARCHIVE_AT_FULL_PRICE, 0);
    return cost(registry.standard + registry.archive - above) + cost(above, ARCHIVE_SHARE);
  }

  // Whatever a text says, it is put as text.
  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    fill(node, attributes, children);
    return node;
  }
  function draw(tag, attributes = {}, ...children) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    fill(node, attributes, children);
    return node;
  }
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
  }

  async function read() {
    const packed = atob(at('data').textContent);
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '', line = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split('\n');
      rest = lines.pop();
      for (const text of lines) {
        if (line === 0) summary = JSON.parse(text);
        else if (line === 1) prices = JSON.parse(text);
        else rows.push(rowOf(text));
        line += 1;
      }
    }
    at('data').remove();
  }

  function rowOf(text) {
    const tab = text.indexOf('\t');
    const [account, region, name, team, created, state, drifted, sections, repairs, images, effect, findings] =
      JSON.parse(text.slice(0, tab));
    const row = { account, region, name, team, created, state, drifted, sections, repairs, effect, findings, images };
    row.rest = text.slice(tab + 1);
    row.found = `${name}\n${team}\n${account}\n${region}`.toLowerCase();
    row.bad = sections.reduce((sum, one) => sum + BAD.has(one[1]), 0);
    row.size = images && images[1] + images[2];
    row.saved = effect && effect[1];
    row.critical = findings && total(findings[2]);
    row.high = findings && total(findings[3]);
    return row;
  }
  const total = list => list.reduce((sum, one) => sum + one, 0);

  // Filters.
  const NAMES = { account: row => row.account, region: row => row.region, team: row => row.team };
  function options() {
    for (const [id, of] of Object.entries(NAMES)) {
      const values = [...new Set(rows.map(of))].sort();
      choices(id, values, value => (value === '' ? NO_TEAM : clean(value)));
    }
    const sections = [...new Set(rows.flatMap(row => row.sections.map(one => one[0])))];
    choices('section', sections, clean);
    const states = new Set(rows.flatMap(row => [row.state, ...row.sections.map(one => one[1])]));
    choices('standing', Object.keys(STATES).filter(one => states.has(one)), one => STATES[one]);
  }
  function choices(id, values, shown) {
    const select = at(id);
    select.replaceChildren(make('option', { value: '' }, 'All'),
      ...values.map((value, index) => make('option', { value: index }, shown(value))));
    select.addEventListener('change', () => choose(id, select.value === '' ? null : values[Number(select.value)]));
    select.values = values;
  }
  function choose(id, value) {
    chosen[id] = value;
    if (at(id) && id !== 'search') at(id).value = value === null ? '' : at(id).values.indexOf(value);
    show();
  }
  function matches(row) {
    for (const [id, of] of Object.entries(NAMES)) if (chosen[id] !== null && of(row) !== chosen[id]) return false;
    if (chosen.rule !== null && !row.sections.some(one => one[2] === chosen.rule)) return false;
    if (chosen.section !== null) {
      const own = row.sections.filter(one => one[0] === chosen.section);
      if (!own.some(one => chosen.standing === null || one[1] === chosen.standing)) return false;
    } else if (chosen.standing !== null && row.state !== chosen.standing
        && !row.sections.some(one => one[1] === chosen.standing)) return false;
    return chosen.search.split(/\s+/).every(word => row.found.includes(word));
  }

  // Numbers.
  function count(list) {
    const sums = { states: {}, drifted: 0, repaired: 0, failed: 0, images: 0, listed: 0, unpulled: 0, unpulledBytes: 0,
      standard: 0, archive: 0, cost: 0, expired: 0, expiredImages: 0, archived: 0, leftOut: 0, scanned: 0, unscanned: 0,
      heat: SEVERITIES.map(() => AGES.map(() => 0)) };
    const registries = new Map();
    for (const row of list) {
      sums.states[row.state] = (sums.states[row.state] || 0) + 1;
      sums.drifted += row.drifted;
      sums.repaired += row.repairs.changed || 0;
      sums.failed += row.repairs.failed || 0;
      if (row.images) {
        const place = `${row.account}/${row.region}`;
        if (!registries.has(place)) registries.set(place, { standard: 0, archive: 0 });
        registries.get(place).standard += row.images[1];
        registries.get(place).archive += row.images[2];
        sums.listed += 1;
        sums.images += row.images[0];
        sums.unpulled += row.images[3];
        sums.unpulledBytes += row.images[4];
      }
      if (row.effect) {
        sums.expiredImages += row.effect[0];
        sums.expired += row.effect[1];
        sums.archived += row.effect[3];
        sums.leftOut += row.effect[4];
      }
      if (row.findings) {
        sums.scanned += row.findings[0];
        sums.unscanned += row.findings[1];
        row.findings.slice(2).forEach((ages, s) => ages.forEach((n, a) => { sums.heat[s][a] += n; }));
      }
    }
    for (const one of registries.values()) {
      sums.standard += one.standard;
      sums.archive += one.archive;
      sums.cost += costOf(one);
    }
    const judged = list.filter(row => !UNJUDGED.has(row.state)).length;
    sums.judged = judged;
    sums.well = (sums.states.compliant || 0) + (sums.states.repaired || 0);
    sums.share = judged ? sums.well / judged : null;
    return sums;
  }

  function tiles(sums) {
    const critical = total(sums.heat[0]), high = total(sums.heat[1]);
    const unlisted = sums.listed ? null : matching.length ? 'images were not listed' : 'no images';
    const unscanned = sums.scanned ? `in ${plural(sums.scanned, 'scanned image')}` : 'no image has a scan';
    const shown = [
      ['repositories', 'Repositories', number(matching.length), matching.length === rows.length ? '' : `of ${number(rows.length)}`],
      ['compliant', 'As the policy wants', percent(sums.share), `${number(sums.well)} of ${number(sums.judged)} judged`, sums.share === null ? '' : sums.share === 1 ? 'good' : ''],
      ['drifted', 'Drift found', number(sums.drifted), sums.drifted === 1 ? 'repository' : 'repositories', sums.drifted ? 'warn' : ''],
      ['violation', 'Need a person', number(sums.states.violation || 0), sums.states.violation === 1 ? 'repository' : 'repositories', sums.states.violation ? 'warn' : ''],
      ['repaired', 'Repaired', number(sums.repaired), sums.repaired === 1 ? 'change' : 'changes', sums.repaired ? 'good' : ''],
      ['failed', 'Repairs failed', number(sums.failed), sums.failed === 1 ? 'change' : 'changes', sums.failed ? 'bad' : ''],
      ['storage', 'Storage', sums.listed ? size(sums.standard + sums.archive) : '–', unlisted ?? `${plural(sums.images, 'image')}${sums.archive ? `, ${size(sums.archive)} archived` : ''}`],
      ['cost', 'Storage a month', sums.listed ? dollars(sums.cost) : '–', unlisted ?? 'at most'],
      ['savings', 'Lifecycle would save', sums.listed ? dollars(cost(sums.expired)) : '–', unlisted ?? `a month at most: ${size(sums.expired)}, ${plural(sums.expiredImages, 'image')}`],
      ['critical', 'Critical findings', sums.scanned ? number(critical) : '–', unlisted ?? unscanned, critical ? 'bad' : ''],
      ['high', 'High findings', sums.scanned ? number(high) : '–', unlisted ?? unscanned, high ? 'warn' : ''],
      ['unpulled', 'Images never pulled', sums.listed ? number(sums.unpulled) : '–', unlisted ?? size(sums.unpulledBytes)],
    ];
    at('tiles').replaceChildren(...shown.map(([id, name, value, more, tone]) =>
      make('div', { class: 'tile' }, make('dt', {}, name), make('dd', { class: tone || null, 'data-tile': id }, value),
        more ? make('dd', { class: 'more' }, more) : '')));
  }

  // Plots.
  function bar(parts, most, label) {
    const svg = draw('svg', { viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
    let x = 0;
    for (const { kind, value, said } of parts) {
      if (!value) continue;
      // What is there is seen, however little it is.
      const width = Math.max((value / most) * 1000, 3);
      svg.append(draw('rect', { class: `f-${kind}`, x: x.toFixed(1), y: 0, width: width.toFixed(1), height: 10 }, draw('title', {}, said)));
      x += width;
    }
    return svg;
  }
  function bars(items, most) {
    return make('ol', { class: 'bars' }, ...items.map(item => make('li', {},
      make('button', { class: 'name', type: 'button', onclick: item.act, title: item.hint },
        make('bdi', {}, item.name), item.sub ? make('small', {}, ` ${item.sub}`) : ''),
      bar(item.parts, item.most || most, `${item.name}: ${item.parts.filter(one => one.value).map(one => one.said).join(', ') || 'nothing'}`),
      make('span', { class: 'number' }, item.number))));
  }
  const legend = kinds => make('p', { class: 'legend', 'aria-hidden': 'true' }, ...kinds.map(([kind, said]) =>
    make('span', {}, make('span', { class: `dot f-${kind}` }), said)));
  function card(id, title, about, ...children) {
    const kids = children.filter(Boolean);
    return make('section', { class: 'card', id, 'aria-labelledby': `${id}-title` }, make('h2', { id: `${id}-title` }, title),
      make('p', {}, about), ...(kids.length ? kids : [make('p', { class: 'none' }, 'Nothing to show.')]));
  }

  function groups(pairs) {
    const found = new Map();
    for (const [name, state] of pairs) {
      if (!found.has(name)) found.set(name, { name, all: 0, judged: 0, well: 0, bad: 0, states: {} });
      const one = found.get(name);
      one.all += 1;
      one.states[state] = (one.states[state] || 0) + 1;
      one.bad += BAD.has(state);
      one.judged += !UNJUDGED.has(state);
      one.well += state === 'compliant' || state === 'repaired';
    }
    return [...found.values()];
  }
  const present = list => Object.keys(STATES).filter(state => list.some(one => one.states[state])).map(state => [state, STATES[state]]);
  const parts = states => Object.keys(STATES).reverse().map(state => ({ kind: state, value: states[state] || 0, said: `${STATES[state]}: ${number(states[state] || 0)}` }));
  const well = one => (one.judged ? `${percent(one.well / one.judged)} of ${number(one.judged)}` : `none of ${number(one.all)} judged`);
  const more = (list, most, what) => (list.length > most ? make('p', { class: 'legend' }, `and ${plural(list.length - most, ...what)} more`) : null);

  function teams() {
    const all = groups(matching.map(row => [row.team, row.state])).sort((a, b) => b.bad - a.bad || b.all - a.all);
    const shown = all.slice(0, MOST_BARS);
    const items = shown.map(one => ({ name: one.name === '' ? NO_TEAM : clean(one.name), parts: parts(one.states), most: one.all, number: well(one),
      act: () => choose('team', one.name), hint: 'Show this team alone' }));
    return card('teams', 'By team', 'How many repositories of each team are as the policy wants, those with most to do first.',
      ...(all.length ? [legend(present(shown)), bars(items), more(all, MOST_BARS, ['team'])] : []));
  }
  function sections() {
    const pairs = matching.flatMap(row => {
      const worst = new Map();
      for (const [section, state] of row.sections) {
        if (!worst.has(section) || ORDER[state] < ORDER[worst.get(section)]) worst.set(section, state);
      }
      return [...worst];
    });
    const all = groups(pairs).sort((a, b) => b.bad - a.bad || b.all - a.all);
    const items = all.map(one => ({ name: clean(one.name), parts: parts(one.states), most: one.all, number: well(one),
      act: () => choose('section', one.name), hint: 'Show this section alone' }));
    return card('sections', 'By section of the policy', 'How many repositories keep each section.',
      ...(all.length ? [legend(present(all)), bars(items)] : []));
  }
  function rules() {
    const pairs = matching.flatMap(row => {
      const worst = new Map();
      for (const [section, state, rule] of row.sections) {
        const key = `${section}\n${rule}`;
        if (!worst.has(key) || ORDER[state] < ORDER[worst.get(key)]) worst.set(key, state);
      }
      return [...worst];
    });
    const all = groups(pairs).sort((a, b) => b.bad - a.bad || b.all - a.all);
    const shown = all.slice(0, MOST_BARS);
    const items = shown.map(one => {
      const [section, rule] = one.name.split('\n');
      return { name: clean(section), sub: clean(rule), parts: parts(one.states), most: one.all, number: well(one), hint: 'Show what this rule decides',
        act: () => { chosen.rule = rule; choose('section', section); } };
    });
    return card('rules', 'By rule', 'The lines of the policy, those with most to do first.',
      ...(all.length ? [legend(present(shown)), bars(items), more(all, MOST_BARS, ['rule'])] : []));
  }
  const alone = row => () => { at('search').value = row.name; choose('search', row.name.toLowerCase()); at('repositories').scrollIntoView(); };
  const where = row => (isOnePlace() ? '' : `${row.account}/${row.region}`);
  let places = null;
  const isOnePlace = () => { places ??= new Set(rows.map(row => `${row.account}/${row.region}`)); return places.size < 2; };
  function storage(sums) {
    const all = matching.filter(row => row.size).sort((a, b) => b.size - a.size);
    const shown = all.slice(0, MOST_STORAGE);
    const items = shown.map(row => {
      const saved = Math.min(row.saved || 0, row.size);
      const fromStandard = Math.min(saved, row.images[1]), fromArchive = saved - fromStandard;
      return { name: clean(row.name), sub: where(row), hint: 'Show this repository', act: alone(row), number: `${size(row.size)}, ${dollars(cost(row.size))}`,
        parts: [
          { kind: 'standard', value: row.images[1] - fromStandard, said: `stays: ${size(row.images[1] - fromStandard)}` },
          { kind: 'archive', value: row.images[2] - fromArchive, said: `archived: ${size(row.images[2] - fromArchive)}` },
          { kind: 'saved', value: saved, said: `lifecycle would delete: ${size(saved)}` }] };
    });
    const about = `The largest, with what they cost a month at most. The policy's lifecycle would delete ${size(sums.expired)} and archive ${size(sums.archived)} in all.`;
    return card('storage', 'Storage by repository', all.length ? about : '',
      ...(all.length ? [legend([['standard', 'Stays'], ['archive', 'Archived'], ['saved', 'Lifecycle would delete']]), bars(items, all[0].size),
        more(all, MOST_STORAGE, ['repository', 'repositories'])] : []));
  }
  function vulnerabilities(sums) {
    const isThere = sums.heat.some(ages => total(ages));
    const most = Math.log(1 + Math.max(...sums.heat.flat()));
    const level = n => (n ? Math.max(1, Math.ceil((Math.log(1 + n) / most) * 5)) : 0);
    const lines = SEVERITIES.map((severity, s) => make('tr', {}, make('th', { scope: 'row' }, make('span', { class: 'chip' },
      make('span', { class: `dot f-${SHADES[s]}`, 'aria-hidden': 'true' }), severity[0].toUpperCase() + severity.slice(1))),
      ...sums.heat[s].map(n => make('td', { class: `heat-${level(n)}`, title: number(n) }, short(n))), make('td', { title: number(total(sums.heat[s])) }, short(total(sums.heat[s])))));
    const head = ['', ...AGES, 'All'].map(name => (name ? make('th', { scope: 'col' }, name) : make('td', {})));
    const scanned = `${plural(sums.scanned, 'image')} with a scan, ${number(sums.unscanned)} without.`;
    return card('vulnerabilities', 'Vulnerabilities by severity and age', isThere ? `By how long ago the image was pushed. ${scanned}` : (sums.listed ? scanned : ''),
      isThere ? make('table', { class: 'heat' }, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...lines)) : null,
      isThere ? bars([{ name: 'In all', number: plural(total(sums.heat.flat()), 'finding'), act: () => sortBy('critical'), hint: 'Sort by critical findings', most: total(sums.heat.flat()),
        parts: SEVERITIES.map((severity, s) => ({ kind: SHADES[s], value: total(sums.heat[s]), said: `${severity}: ${number(total(sums.heat[s]))}` })) }]) : null);
  }
  function unpulled() {
    const all = matching.filter(row => row.images && row.images[3]).sort((a, b) => b.images[4] - a.images[4] || b.images[3] - a.images[3]);
    const items = all.slice(0, MOST_BARS).map(row => ({ name: clean(row.name), sub: where(row), hint: 'Show this repository', act: alone(row),
      number: `${number(row.images[3])} of ${number(row.images[0])}, ${size(row.images[4])}`,
      parts: [{ kind: 'idle', value: row.images[4], said: `${plural(row.images[3], 'image')}, ${size(row.images[4])}` }] }));
    return card('unpulled', 'Images never pulled', all.length ? 'The repositories whose images that nobody ever pulled are the largest together.' : '',
      ...(all.length ? [bars(items, all[0].images[4] || 1), more(all, MOST_BARS, ['repository', 'repositories'])] : []));
  }

  // The table.
  const COLUMNS = [
    ['name', 'Repository', row => row.name, 'text'],
    ['team', 'Team', row => row.team || null, 'text'],
    ['state', 'Standing', row => ORDER[row.state], 'text'],
    ['bad', 'To do', row => row.bad],
    ['images', 'Images', row => row.images && row.images[0]],
    ['size', 'Storage', row => row.size],
    ['saved', 'Would save', row => row.saved],
    ['critical', 'Critical', row => row.critical],
    ['high', 'High', row => row.high],
    ['unpulled', 'Never pulled', row => row.images && row.images[3]],
    ['pull', 'Last pull', row => row.images && row.images[5]],
    ['created', 'Created', row => row.created],
  ];
  const UP_FIRST = new Set(['name', 'team', 'state']);
  function sorted(list) {
    const of = COLUMNS.find(one => one[0] === sorting.column)[2];
    const sign = sorting.isUp ? 1 : -1;
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    return list.map(row => [of(row) ?? null, row]).sort(([a, one], [b, other]) => {
      // What is not known is last, whichever way.
      if (a === null || b === null) return (a === null) - (b === null) || order(one.name, other.name);
      return sign * order(a, b) || (other.size || 0) - (one.size || 0) || order(one.found, other.found);
    }).map(pair => pair[1]);
  }
  function sortBy(column) {
    sorting = { column, isUp: sorting.column === column ? !sorting.isUp : UP_FIRST.has(column) };
    matching = sorted(matching);
    table();
  }
  function header() {
    const cells = COLUMNS.map(([id, name, , kind]) => make('th', { scope: 'col', class: kind || null, 'data-column': id },
      make('button', { type: 'button', onclick: () => sortBy(id) }, name)));
    at('table').tHead.replaceChildren(make('tr', {}, ...cells));
  }
  function table() {
    for (const cell of at('table').tHead.rows[0].cells) {
      const isIt = cell.dataset.column === sorting.column;
      cell.setAttribute('aria-sort', isIt ? (sorting.isUp ? 'ascending' : 'descending') : 'none');
    }
    const shown = matching.slice(0, MOST_ROWS);
    const left = matching.length - shown.length;
    at('count').textContent = !rows.length ? 'No repository was found.'
      : !matching.length ? 'No repository matches.'
        : `${number(matching.length)} of ${plural(rows.length, 'repository', 'repositories')}${left ? `; the first ${number(shown.length)} are shown, ${number(left)} more match: narrow the search to see them` : ''}${chosen.rule === null ? '' : `; of the rule ${clean(chosen.rule)} alone`}.`;
    at('table').parentElement.hidden = !rows.length;
    at('table').tBodies[0].replaceChildren(...shown.flatMap(row => (opened.has(row) ? [line(row), detail(row)] : [line(row)])));
  }
  const zero = (value, text, tone) => (value === null || value === undefined ? make('td', { class: 'zero' }, '–') : make('td', { class: value ? tone || null : 'zero' }, text));
  const chip = state => make('span', { class: 'chip' }, make('span', { class: `dot f-${state}`, 'aria-hidden': 'true' }), STATES[state]);
  function line(row) {
    const button = make('button', { class: 'open', type: 'button', 'aria-expanded': String(opened.has(row)), onclick: () => toggle(row, button) }, make('bdi', {}, clean(row.name)));
    const images = row.images || [null, null, null, null, null, null];
    return make('tr', { class: 'row' },
      make('td', { class: 'text repository' }, button, isOnePlace() ? '' : make('div', { class: 'where' }, where(row))),
      make('td', { class: 'text team' }, row.team ? make('bdi', {}, clean(row.team)) : make('span', { class: 'zero' }, '–')),
      make('td', { class: 'text' }, chip(row.state)),
      zero(row.bad, number(row.bad)),
      zero(images[0], images[0] === null ? '' : number(images[0])),
      zero(row.size, row.size === null ? '' : size(row.size)),
      zero(row.saved, row.saved === null ? '' : size(row.saved)),
      zero(row.critical, row.critical === null ? '' : number(row.critical), 'hot'),
      zero(row.high, row.high === null ? '' : number(row.high), 'warm'),
      zero(images[3], images[3] === null ? '' : number(images[3])),
      zero(images[5], day(images[5])),
      zero(row.created, day(row.created)));
  }
  function toggle(row, button) {
    const own = button.closest('tr');
    if (opened.delete(row)) own.nextElementSibling.remove();
    else { opened.add(row); own.after(detail(row)); }
    button.setAttribute('aria-expanded', String(opened.has(row)));
  }

  // What a row is opened for.
  function detail(row) {
    const all = JSON.parse(row.rest);
    const noted = all.sections.filter(one => one.what || one.standing !== 'compliant');
    const fine = all.sections.filter(one => !noted.includes(one));
    return make('tr', { class: 'detail' }, make('td', { colspan: COLUMNS.length }, make('div', {},
      facts(all),
      all.problem ? make('div', { class: 'finding' }, make('h3', {}, chip('unread')), make('p', {}, sentence(all.problem))) : '',
      all.is_gone ? make('p', { class: 'well' }, 'It was deleted after it was listed.') : '',
      ...noted.map(finding),
      ...all.repairs.map(repaired),
      fine.length ? make('p', { class: 'well' }, `As the policy wants: ${fine.map(one => `${clean(one.setting)} (${clean(one.rule)})`).join(', ')}.`) : '',
      all.sections.length || all.problem || all.is_gone ? '' : make('p', { class: 'well' }, 'No rule of the policy decides anything for it.'))));
  }
  const sentence = text => { const said = clean(text); return said ? said[0].toUpperCase() + said.slice(1) + (/[.!?…]$/.test(said) ? '' : '.') : ''; };
  function stateOf(one) {
    if (one.repairs.failed) return 'failed';
    const done = (one.repairs.changed || 0) + (one.repairs.already || 0);
    return one.standing === 'differs' && done >= one.count ? 'repaired' : one.standing;
  }
  function finding(one) {
    const isShown = one.before || one.after;
    return make('div', { class: 'finding' },
      make('h3', {}, chip(stateOf(one)), `${clean(one.setting)}${one.count > 1 ? `, ${number(one.count)} times` : ''}`,
        make('span', {}, make('code', {}, clean(one.rule)), ` ${one.mode === 'enforce' ? 'enforced' : 'audited'}${one.is_registrys ? ', a setting of the whole registry' : ''}`)),
      one.what ? make('p', {}, sentence(one.what)) : '',
      one.next_step ? make('p', { class: 'next' }, `What to do: ${sentence(one.next_step)}`) : '',
      isShown ? make('div', { class: 'sides' }, side('was', 'Before', one.before), side('will', 'As the policy wants it', one.after)) : '');
  }
  const side = (kind, name, text) => make('div', { class: kind }, make('span', {}, name), make('pre', { tabindex: '0' }, pretty(text)));
  function pretty(text) {
    if (!text) return '(none)';
    let shown = text;
    // What was cut is no JSON any more, and is shown as it is.
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch (error) { if (!(error instanceof SyntaxError)) throw error; }
    return shown.split('\n').map(one => one.replace(HIDDEN, '\ufffd')).join('\n');
  }
  const DONE = { changed: 'repaired', already: 'compliant', kept: 'kept', gone: 'gone', skipped: 'differs', failed: 'failed' };
  const SAID = { changed: 'Changed', already: 'Was so already', kept: 'Left as it is', gone: 'Deleted meanwhile', skipped: 'Changed meanwhile, left alone', failed: 'Failed' };
  function repaired(one) {
    return make('div', { class: 'finding' },
      make('h3', {}, make('span', { class: 'chip' }, make('span', { class: `dot f-${DONE[one.status]}`, 'aria-hidden': 'true' }), SAID[one.status]), clean(one.section),
        one.change_id ? make('span', {}, 'change ', make('code', {}, clean(one.change_id))) : ''),
      one.said ? make('p', {}, sentence(one.said)) : '');
  }
  function facts(all) {
    const images = all.images, effect = all.lifecycle, found = all.vulnerabilities;
    const pairs = [['Registry', `${all.account}/${all.region}`]];
    if (images) {
      pairs.push(['Images', `${number(images.images)}, ${number(images.tagged)} tagged${images.indexes ? `, ${plural(images.indexes, 'index', 'indexes')}` : ''}`],
        ['Storage', `${size(images.standard_bytes)}${images.archive_bytes ? ` and ${size(images.archive_bytes)} archived` : ''}, ${dollars(cost(images.standard_bytes + images.archive_bytes))} a month at most`],
        ['Last push', day(images.last_push) || 'none']);
    }
    if (effect) {
      const left = effect.left_out ? `; ${plural(effect.left_out, 'untagged image')} left out, as they may be of an index` : '';
      pairs.push([`Lifecycle of ${clean(effect.rule)}`, `would delete ${plural(effect.expired, 'image')} (${size(effect.expired_bytes)}), archive ${number(effect.archived)} (${size(effect.archived_bytes)})${left}`]);
    }
    if (found) {
      const counts = SEVERITIES.filter(one => found.counts[one]).map(one => `${number(total(found.counts[one]))} ${one}`);
      pairs.push(['Findings', `${counts.join(', ') || 'none'}; ${plural(found.scanned, 'image')} scanned, ${number(found.not_scanned)} not`]);
    }
    return make('dl', { class: 'facts' }, ...pairs.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))));
  }

  // What was looked at.
  function outcome() {
    const registries = plural(summary.places.length, 'registry', 'registries');
    const unseen = summary.unseen, failed = summary.repairs.failed || 0;
    const looked = `${plural(summary.repositories, 'repository', 'repositories')} of ${registries}`;
    // A report that was asked for a part of the registries says nothing of the rest.
    const complete = summary.scope ? `${looked} ${summary.repositories === 1 ? 'was' : 'were'} looked at, ${clean(summary.scope)}`
      : summary.repositories === 1 ? `the one repository of ${registries} was looked at` : `all ${looked} were looked at`;
    const isNone = summary.scope && !summary.repositories;
    const said = summary.is_partial
      ? `Partial: ${looked} ${summary.repositories === 1 ? 'was' : 'were'} looked at; ${[unseen.length ? `${number(unseen.length)} ${unseen.length === 1 ? 'thing was' : 'things were'} not` : '', failed ? `${plural(failed, 'change')} failed` : ''].filter(Boolean).join(', ')}.`
      : isNone ? `Nothing was looked at: no repository of ${registries} is asked for, ${clean(summary.scope)}.`
        : `Complete: ${summary.repositories ? complete : `there is no repository in ${registries}`}.`;
    const banner = make('div', { class: `banner${summary.is_partial || isNone ? ' partial' : ''}` }, make('strong', {}, said.split(':')[0] + ':'), said.slice(said.indexOf(':') + 1));
    if (unseen.length) {
      const lines = unseen.slice(0, MOST_UNSEEN).map(one => make('li', {}, make('strong', {}, clean(one.what)), ` in ${clean(one.place)}${one.repositories ? ` (${plural(one.repositories, 'repository', 'repositories')})` : ''}: ${sentence(one.why)}`));
      const left = unseen.length - lines.length;
      banner.append(make('details', { open: unseen.length <= 5 }, make('summary', {}, 'What was not looked at, and why'),
        make('ul', { class: 'unseen-list' }, ...lines, left ? make('li', {}, `and ${number(left)} more`) : '')));
    }
    at('outcome').append(banner);
  }
  function notes() {
    const texts = [
      `Costs are estimates from above: an image's size has all its layers, and ECR bills a layer that images of a repository share once. $${prices.price} for a GB (2³⁰ bytes) and month; ECR's price in most Regions was $0.10 in ${prices.prices_as_of} (aws.amazon.com/ecr/pricing).`,
      'Archived images cost the same as others up to 150 TB in a Region, and 70 % of it above; each at least for 90 days. So archiving saves nothing below that, and counts as no saving here.',
      "What lifecycle would save is what the policy's own lifecycle rules would delete if they ran now, also where a repository keeps other rules that somebody chose.",
      'Where a repository has image indexes, its untagged images are left out of that: they may be the images of an index, which ECR keeps, and no listing tells.',
      'A vulnerability counts in each image that has it, by the last scan that ECR lists. Archived images, signatures and the like do not count, and neither do they as never pulled.',
      'As the policy wants are repositories that comply, or do since this run repaired them. Those that are exempt, could not be read, or have no rule do not count.',
    ];
    at('notes').replaceChildren(...texts.map(text => make('li', {}, text)));
  }

  // Two columns, as equally high as these cards allow: else there is a hole below the lower one.
  function plots(cards) {
    const left = make('div', {}, ...cards), right = make('div');
    at('plots').replaceChildren(left, right);
    const heights = cards.map(one => one.offsetHeight), all = total(heights);
    let best = 0, least = Infinity;
    // Each bit is a card of the right column; the first card is always on the left.
    for (let chosenRight = 0; chosenRight < 2 ** cards.length; chosenRight += 2) {
      const apart = Math.abs(all - 2 * total(heights.filter((_, bit) => chosenRight & (1 << bit))));
      if (apart < least) [best, least] = [chosenRight, apart];
    }
    right.append(...cards.filter((_, bit) => best & (1 << bit)));
  }
  function show() {
    matching = sorted(rows.filter(matches));
    const sums = count(matching);
    tiles(sums);
    plots([teams(), sections(), vulnerabilities(sums), storage(sums), rules(), unpulled()]);
    table();
  }
  function listen() {
    let waiting = 0;
    at('search').addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => choose('search', at('search').value.trim().toLowerCase()), 120);
    });
    at('filters').addEventListener('submit', event => event.preventDefault());
    at('filters').addEventListener('reset', () => {
      clearTimeout(waiting);
      Object.assign(chosen, { search: '', account: null, region: null, team: null, section: null, standing: null, rule: null });
      show();
    });
    at('section').addEventListener('change', () => { if (chosen.rule !== null) { chosen.rule = null; show(); } });
  }

  async function main() {
    if (typeof DecompressionStream === 'undefined') {
      at('loading').textContent = 'This browser is too old to read the report: open it with one of 2023 or later.';
      return;
    }
    await read();
    options();
    listen();
    outcome();
    notes();
    header();
    // What is not shown has no height, by which the plots are placed.
    at('report').hidden = false;
    show();
    at('loading').remove();
  }
  main().catch(error => {
    at('loading').textContent = `The report cannot be shown: ${error.message}. Was the file cut off?`;
    throw error;
  });
})();
