#!/usr/bin/env python3
"""Explicit-state model of one job with stages, over 1 to 3 devices and 1 to 3 stages.

Each device has one task of job A. Optionally, a plain task of another job B waits on device 0 behind the task of A.
Every commit is one step, and the process can be killed between any two. Durable: task rows, slots, control, stage,
soak, evidence, used-up retries. Lost in a crash: the outbox (intents that are committed, but not handed to a socket),
permits, and whatever a flipped rule keeps in memory. Timers are "ticks left", so that the state space is finite
without a horizon. The MQTT exchange with one device is reduced to what matters here.

RULES is the proposal. NAIVE has the alternatives; each is flipped alone and must violate something.

The gate of a stage: rp is reachedPercent (of the size of the stage), sp is successPercent (of all sent tasks of the
stage). It is looked at when the soak begins and when the soak ends. Two bits of a task are set once and for good:
oc (reached: its first attempt ended by a reply or by its deadline, or the task became SUCCEED by a late success) and
sb (sent: at least one attempt was not withdrawn; it is set at the claim, and a first attempt that is withdrawn takes
it back). STALLED is computed, never stored.

Usage: fleet_model.py [proposed|gate|flips|gateflips|cluster|all] [words of a run's name]
"""

import sys, time
from collections import deque, namedtuple

INIT, Q, RW, PUB, SUCC, FAIL, CANC, RSP, TTL = range(9)
NAMES = "INIT QUEUED RETRY_WAIT PUBLISHED SUCCEED FAILED CANCELLED RSP_TIMEOUT TTL_TIMEOUT".split()
FINAL = frozenset((SUCC, FAIL, CANC, RSP, TTL))
NO = -1
# win: ticks of window left; rt: ticks of retry wait; ow: open ticks waited in this round (read by checks alone);
# ex: retried by hand after a cancel of the job; oc, sb: the bits "reached" and "sent". For single flips only: gf (has
# been final after a bad outcome) and lt (SUCCEED by a late success).
T = namedtuple("T", "st att win rt used ok dis man ow ex oc sb gf lt")
D = namedtuple("D", "pres slot ob fly gone")  # slot (who, att, ticks) ; ob: in the outbox ; fly: sent, may be answered
S = namedtuple(
    "S",
    "ctl cal mark stage soak gsoak ring gring trig tok gs end spent tasks devs b env up pend req asked cur cache stl",
)
ENV = "pause crash cancel one late disc next retry cal del".split()  # budgets of what comes from outside

RULES = dict(
    gate_claim="claim",
    withdraw="pause",
    ttl_shut="init",
    retry_shut="init",
    cursor="state",
    eval="commit",
    ring="stored",
    resume_ring="clear",
    soak="restart",
    adv_paused="no",
    next="quoted",
    cancel_ctl="runs",
    cap="slots",
    tok_restart="empty",
    budget="planned",
    head="skip",
    end_look="yes",
    cal_look="yes",
    node="shared_lock",
    resume_cancel="mark_stays",
    trig_paused="waits",
    grant="split",
    end_ends="waiting",
    late_init="succeeds",
    stage_counts="rows",
    window_open="anew",
    reach="first",
    denom="sent",
    sent="for_good",
    gate_end="holds",
    late_counts="yes",
    zero="released",
    stalled="derived",
)
NAIVE = dict(
    gate_claim=["release"],
    withdraw=["no"],
    ttl_shut=["expire"],
    retry_shut=["normal", "refuse"],
    cursor=["forward"],
    eval=["poll"],
    ring=["memory"],
    resume_ring=["keep"],
    soak=["run_on"],
    adv_paused=["yes"],
    next=["blind"],
    cancel_ctl=["kept"],
    cap=["tasks"],
    tok_restart=["full"],
    budget=["spent"],
    head=["block"],
    end_look=["no"],
    cal_look=["no"],
    node=["cached"],
    resume_cancel=["clears_mark"],
    trig_paused=["releases"],
    grant=["each"],
    end_ends=["released"],
    late_init=["ignored"],
    stage_counts=["outcomes"],
    window_open=["runs_on"],
    reach=["literal", "rw_state", "unsent", "cancelled"],
    denom=["size", "less_cancelled", "reached"],
    sent=["withdrawn", "not_cancelled", "cleared"],
    gate_end=["begin_only"],
    late_counts=["no"],
    zero=["at_once"],
    stalled=["stored", "no_init", "no_retry"],
)


class Model:
    def __init__(
        m,
        stages,
        rp=80,
        sp=90,
        retry=0,
        interval=1,
        win=2,
        reply=1,
        rule=None,
        action="PAUSE",
        soak=1,
        ttl0=False,
        cap=9,
        rate=9,
        budget=9,
        end=NO,
        rules=None,
        env=None,
        b=False,
        always_on=True,
        away=(),
        absent=(),
        auto=False,
    ):
        m.stage_of = stages
        m.n = len(stages)
        m.last = max(stages)
        m.auto = auto
        m.away = frozenset(away)
        tup = lambda v: v if isinstance(v, tuple) else (v,) * (m.last + 1)
        m.rp, m.sp = tup(rp), tup(sp)
        m.size = [stages.count(k) for k in range(m.last + 1)]
        m.own = [[i for i, x in enumerate(stages) if x == k] for k in range(m.last + 1)]
        m.R, m.I, m.W, m.P, m.soak0, m.ttl0, m.cap, m.rate, m.budget = (
            retry,
            interval,
            win,
            reply,
            soak,
            ttl0,
            cap,
            rate,
            budget,
        )
        m.rule = rule
        m.action = action  # rule: (K bad, within N) outcomes
        m.r = dict(RULES)
        m.r.update(rules or {})
        m.keep_gf = m.r["sent"] == "cleared"
        e = dict.fromkeys(ENV, 0)
        e.update(env or {})
        task = T(INIT, 0, NO, NO, 0, 0, 0, e["retry"], 0, 0, 0, 0, 0, 0)
        devs = tuple(
            D(1 if always_on and i not in away and i not in absent else 0, None, 0, frozenset(), 0) for i in range(m.n)
        )
        m.start = S(
            0,
            0,
            0,
            0,
            NO,
            NO,
            (),
            (),
            0,
            rate,
            0,
            end,
            0,
            (task,) * m.n,
            devs,
            Q if b else NO,
            tuple(e[k] for k in ENV),
            1,
            0,
            NO,
            0,
            0,
            (0,) * m.n,
            0,
        )
        m.bad = {}
        m.found = []

    # helpers
    def flag(m, what):
        m.found.append(what)

    def put(m, s, i, **kw):
        t = list(s.tasks)
        t[i] = t[i]._replace(**kw)
        return s._replace(tasks=tuple(t))

    def dev(m, s, i, **kw):
        d = list(s.devs)
        d[i] = d[i]._replace(**kw)
        return s._replace(devs=tuple(d))

    def spend(m, s, k):
        i = ENV.index(k)
        if not s.env[i]:
            return None
        e = list(s.env)
        e[i] -= 1
        return s._replace(env=tuple(e))

    def left(m, s, k):
        return s.env[ENV.index(k)]

    def shut(m, s):
        return bool(s.ctl or s.cal)

    def covered(m, s, t):
        return s.mark and not t.ex

    def cancel(m, s):
        """The mark covers every task as it is now, forgets the evidence, and ends a pause.

        Otherwise, tasks that are retried by hand later could never go.
        """
        s = s._replace(mark=1, ring=(), gring=(), tasks=tuple(t._replace(ex=0) for t in s.tasks))
        return s._replace(ctl=0) if m.r["cancel_ctl"] == "runs" else s

    def out(m, s):
        return sum(1 for d in s.devs if d.slot and d.slot[0] == "A")

    def tripped(m, ring):
        return m.rule and sum(ring[-m.rule[1] :]) >= m.rule[0]

    # the rules
    def outcome(m, s, i, bad):
        """A sent round has ended: evidence and rule in the commit that stores the result; the gate follows in `go`."""
        t = s.tasks[i]
        s = m.put(s, i, oc=1, gf=1 if bad and t.st in FINAL and m.keep_gf else t.gf)
        if m.rule:
            n = m.rule[1]
            s = s._replace(ring=(s.ring + (bad,))[-n:], gring=(s.gring + (bad,))[-n:])
            if m.tripped(s.ring) and not s.ctl:
                if m.r["eval"] == "poll":
                    s = s._replace(pend=1)
                else:
                    s = m.trip(s)
        return s

    def trip(m, s):
        if not m.tripped(s.gring):
            m.flag("RETRIP the rule acts again without new evidence after a resume")
        if m.action == "CANCEL":
            return m.cancel(s)
        return m.pause(s)

    def counts(m, s, rows):
        """(reached, sent, succeeded) among these rows, as the rule in force counts them."""
        how = m.r["reach"]
        R = S = G = 0
        for i in rows:
            t = s.tasks[i]
            ok = t.st == SUCC and not (t.lt and m.r["late_counts"] == "no")
            if how == "first":
                hit = t.oc
            elif how == "literal":
                hit = (
                    t.st in (FAIL, RSP) and t.dis != 3
                )  # the state now: final, and the last round was sent (dis 3: it was not)
            elif how == "rw_state":
                hit = t.st in (FAIL, RSP) and t.dis != 3 or t.st == RW and t.oc
            elif how == "unsent":
                hit = t.st in (FAIL, RSP, TTL)
            elif how == "cancelled":
                hit = t.oc or t.st == CANC
            sent = t.sb
            if m.r["sent"] == "withdrawn":
                sent = t.att > 0
            elif m.r["sent"] == "not_cancelled":
                sent = t.sb and t.st != CANC
            elif m.r["sent"] == "cleared":
                sent = t.sb and (t.st in FINAL or t.st == PUB or not t.gf)
            G += ok
            R += bool(ok or hit)
            S += bool(sent)
        return R, S, G

    @staticmethod
    def ceil(p, n):
        return -(-p * n // 100)

    def met(m, s, k, R, S, G):
        """Does the gate of stage k hold with these numbers?"""
        N = m.size[k]
        if m.r["denom"] == "less_cancelled":
            N -= sum(1 for i in m.own[k] if s.tasks[i].st == CANC)
        if m.rp[k] == 0 and m.r["zero"] == "released":
            return all(s.tasks[i].st != INIT for i in m.own[k])
        of = {"size": N, "reached": R}.get(m.r["denom"], S)
        return R >= max(m.rp[k] > 0, m.ceil(m.rp[k], N)) and G >= m.ceil(m.sp[k], of)

    def honest(m, s, k):
        """What the text promises, from the two bits and the state alone."""
        rows = [s.tasks[i] for i in m.own[k]]
        if m.rp[k] == 0:
            return all(t.st != INIT for t in rows), True
        G = sum(1 for t in rows if t.st == SUCC)
        return (
            sum(1 for t in rows if t.st == SUCC or t.oc) >= max(1, m.ceil(m.rp[k], m.size[k])),
            G >= m.ceil(m.sp[k], sum(1 for t in rows if t.sb)),
        )

    def can(m, s, k):
        """Would the gate hold if every task of the stage that is not final succeeded?"""
        n = s
        for i in m.own[k]:
            if (
                m.r["stalled"] == "no_init"
                and s.tasks[i].st == INIT
                or m.r["stalled"] == "no_retry"
                and s.tasks[i].st == RW
            ):
                continue
            if s.tasks[i].st not in FINAL:
                n = m.put(n, i, st=SUCC, oc=1, sb=1)
        return m.met(n, k, *m.counts(n, m.own[k]))

    def stalled(m, s):
        return s.stage < m.last and (s.stl if m.r["stalled"] == "stored" else not m.can(s, s.stage))

    def holds(m, s):
        """Does the gate of the present stage hold, by the rule in force?"""
        k = s.stage
        if m.r["stalled"] == "stored" and s.stl:
            return False
        return m.met(s, k, *m.counts(s, m.own[k] if m.r["stage_counts"] == "rows" else range(m.n)))

    def reach(m, s):
        """In every commit: the soak of the present stage begins when its gate holds."""
        if s.stage >= m.last:
            return s
        if m.r["stalled"] == "stored" and not s.stl and not m.can(s, s.stage):
            s = s._replace(stl=1)
        if s.soak == NO and m.holds(s):
            m.proven(s, "a soak begins")
            return s._replace(soak=m.soak0, gsoak=m.soak0)
        return s

    def proven(m, s, what):
        """Flags a gate that is taken to hold although its text says that it does not."""
        k = s.stage
        reached, succeeded = m.honest(s, k)
        if m.rp[k] == 0:
            if not reached:
                m.flag(f"GATE-BEFORE-RELEASE {what} while tasks of the stage have not been released")
        elif not reached:
            m.flag(
                f"STAGE-BY-OTHERS {what} by results of another stage"
                if m.r["stage_counts"] != "rows"
                else f"GATE-NOT-REACHED {what} although fewer tasks than wanted have had the command"
            )
        elif not succeeded:
            m.flag(f"GATE-NOT-SUCCEEDED {what} although fewer of the sent tasks than wanted have succeeded")

    def opens(m, s):
        """A job-level moment in the store; here written out: windows of waiting rounds begin anew at an opening."""
        if m.r["window_open"] != "anew":
            return s
        return s._replace(tasks=tuple(t._replace(win=m.W, ow=0) if t.win != NO else t for t in s.tasks))

    def pause(m, s):
        s = s._replace(ctl=1)
        if m.r["withdraw"] == "pause":
            for i, d in enumerate(s.devs):
                if d.ob and d.slot[0] == "A":
                    s = m.not_sent(s, i)
        return s

    def not_sent(m, s, i):
        t = s.tasks[i]
        s = m.put(
            m.dev(s, i, slot=None, ob=0), i, sb=t.oc
        )  # the attempt was withdrawn: sent only if an earlier one was
        if t.st == PUB:
            if t.ok:
                return m.outcome(m.put(s, i, st=SUCC, win=NO, lt=m.r["late_counts"] == "no"), i, 0)
            if s.devs[i].gone:
                return m.final(s, i, FAIL, unsent=1)
            return m.put(s, i, st=Q)
        return s

    def final(m, s, i, st, unsent=0):
        t = s.tasks[i]
        kw = {}
        if t.oc and st != SUCC and m.keep_gf:
            kw["gf"] = 1
        if unsent and m.r["reach"] in ("literal", "rw_state"):
            kw["dis"] = 3  # only these flips look at the class of the last round
        return m.put(s, i, st=st, win=NO, rt=NO, ow=0, **kw)

    def round_failed(m, s, i, st, sent):
        t = s.tasks[i]
        if t.ok:
            return m.outcome(m.put(m.final(s, i, SUCC), i, lt=m.r["late_counts"] == "no"), i, 0)
        planned = sum(1 for x in s.tasks if x.st == RW)
        free = s.spent + (planned if m.r["budget"] == "planned" else 0) < m.budget
        again = (
            t.used < m.R
            and not t.dis
            and not s.devs[i].gone
            and not m.covered(s, t)
            and free
            and (s.end == NO or s.end > m.I)
        )
        s = m.put(s, i, st=RW, rt=m.I, win=NO, ow=0) if again else m.final(s, i, st, unsent=not sent)
        return m.outcome(s, i, 1) if sent else s

    def due(m, s, i):
        if s.devs[i].gone:
            return m.final(s, i, FAIL, unsent=1)
        if m.ttl0 and not s.devs[i].pres:
            if m.shut(s):
                m.flag("ENDED-WHILE-SHUT a round is used up although the job is shut")
            return m.round_failed(s, i, FAIL, 0)
        return m.put(s, i, st=Q, win=m.W, rt=NO, ow=0)

    def claimable(m, s, i):
        t, d = s.tasks[i], s.devs[i]
        gate = m.shut(s)
        if m.r["node"] == "cached":
            gate = s.cache[i] or s.cal
        if m.r["gate_claim"] == "release":
            gate = False
        used = m.out(s) if m.r["cap"] == "slots" else sum(1 for x in s.tasks if x.st == PUB)
        return (
            t.st == Q
            and d.pres
            and d.slot is None
            and t.win != 0
            and not m.covered(s, t)
            and not gate
            and s.tok > 0
            and used < m.cap
            and s.end != 0
        )

    def succ(m, s):
        out = []
        m.found = []
        r = m.r

        def go(label, n):
            if n is not None:
                if n.up:
                    n = m.reach(n)
                out.append((label, n, tuple(m.found)))
            m.found = []

        # outside
        if s.up:
            n = m.spend(s, "crash")
            if n:
                go(
                    "kill -9",
                    n._replace(
                        up=0,
                        devs=tuple(d._replace(ob=0) for d in n.devs),
                        pend=0,
                        ring=() if r["ring"] == "memory" else n.ring,
                        tok=m.rate if r["tok_restart"] == "full" else 0,
                    ),
                )
        else:
            go("restart", s._replace(up=1))
        for i, d in enumerate(s.devs):
            if not d.pres:
                if i not in m.away and not d.gone:
                    go(f"device {i} connects", m.dev(s, i, pres=1))
            elif m.left(s, "disc"):
                n = m.dev(m.spend(s, "disc"), i, pres=0)
                if d.ob and s.up:
                    n = m.not_sent(n, i) if d.slot[0] == "A" else m.dev(n, i, slot=None, ob=0)
                go(f"device {i} disconnects", n)
        urgent = m.urgent(s)
        if not s.up or not urgent:
            n = m.tick(s)
            if n != s:
                go("tick", n)
        if not s.up:
            return out
        engine0 = len(out)
        # operators
        if not s.ctl and not (s.mark and s.trig == 0):
            n = m.spend(s, "pause")
            if n:
                go("pauseJob", m.pause(n))
        if s.ctl:
            if r["cancel_ctl"] == "runs" or not s.mark:
                n = m.opens(s)._replace(ctl=0, gring=(), ring=() if r["resume_ring"] == "clear" else s.ring)
                if r["resume_cancel"] != "mark_stays" and s.mark:
                    m.flag("REVIVED a job cancelled as a whole runs again by resumeJob")
                    n = n._replace(mark=0)
                if n.gsoak != NO:
                    n = n._replace(gsoak=m.soak0, soak=m.soak0 if r["soak"] == "restart" else n.soak)
                if r["node"] == "shared_lock":
                    n = n._replace(cache=(0,) * m.n)
                go("resumeJob", n)
        if not s.mark:
            n = m.spend(s, "cancel")
            if n:
                go("cancelTask (all)", m.cancel(n))
        for i, t in enumerate(s.tasks):
            if t.st in (INIT, Q, RW, PUB) and s.trig and not m.covered(s, t):
                n = m.spend(s, "one")
                if n:
                    if t.st == PUB and n.devs[i].ob:
                        n = m.put(m.dev(n, i, slot=None, ob=0), i, sb=t.oc)
                    go(f"cancelTask {i}", m.final(n, i, CANC))
            if t.st in (FAIL, RSP, TTL) and t.man and s.end != 0:
                n = m.put(s, i, man=t.man - 1, used=0, ok=0, dis=0, st=INIT, ex=s.mark)
                go(f"retryTask {i}", n if m.shut(s) else m.due(n, i))
        if s.req == NO and s.stage < m.last:
            n = m.spend(s, "next")
            if n:
                go(
                    f"operator asks for stage {s.stage + 1}",
                    n._replace(req=s.stage + 1, asked=max(s.asked, s.stage + 1)),
                )
        if s.req != NO:
            to = max(s.stage, s.req) if r["next"] == "quoted" else min(s.stage + 1, m.last)
            if to > max(s.stage, s.asked):
                m.flag("STAGE-SKIPPED nextStage opens a stage that was not asked for and that no condition allows")
            n = s._replace(stage=to, soak=NO, gsoak=NO, stl=0) if to != s.stage else s
            go("nextStage arrives", n._replace(req=NO))
            go("nextStage arrives, its answer is lost", n)
        if m.left(s, "cal"):
            go(
                "calendar shuts" if not s.cal else "calendar opens",
                (m.opens(m.spend(s, "cal")) if s.cal else m.spend(s, "cal"))._replace(cal=1 - s.cal),
            )
        elif s.cal:
            go("calendar opens", m.opens(s)._replace(cal=0))
        for i, d in enumerate(s.devs):
            if not d.gone and m.left(s, "del"):
                n = m.spend(s, "del")
                n = m.dev(n, i, gone=1, pres=0)
                t = s.tasks[i]
                if d.ob:
                    n = m.not_sent(n, i) if d.slot[0] == "A" else m.dev(n, i, slot=None, ob=0)
                if t.st in (Q, RW):
                    n = m.final(n, i, FAIL, unsent=1)
                go(f"device {i} deleted", n)
        # devices answer
        for i, d in enumerate(s.devs):
            for who, a in d.fly:
                mine = d.slot and d.slot[:2] == (who, a) and not d.ob
                for ok in (1, 0):
                    n = s
                    if not mine:
                        n = m.spend(s, "late")
                        if n is None:
                            continue
                    n = m.dev(n, i, fly=d.fly - {(who, a)}, slot=None if mine else d.slot)
                    go(f"device {i} answers {who}{a} {'ok' if ok else 'error'}", m.reply(n, i, who, a, ok))
        # engine
        e0 = len(out)
        if not s.trig and not (s.mark) and (not s.ctl or r["trig_paused"] == "releases"):
            n = s._replace(trig=1)
            if r["trig_paused"] == "releases" and s.ctl:
                n = m.due(n, 0)
                m.flag("RELEASED-WHILE-SHUT the trigger of a paused job makes tasks due")
            go("trigger", n)
        if s.pend:
            go("rule evaluated", m.trip(s._replace(pend=0)) if not s.ctl else s._replace(pend=0))
        if (
            s.soak == 0
            and not s.mark
            and (not s.ctl or r["adv_paused"] == "yes")
            and (r["gate_end"] == "begin_only" or m.holds(s))
        ):
            m.proven(s, "a stage opens")
            if s.ctl:
                m.flag("ADVANCED-WHILE-PAUSED a stage opens in a paused job")
            if s.gsoak:
                m.flag("SOAK-CUT a stage opens before its soak has been served since the last resume")
            go(f"stage {s.stage + 1} opens", s._replace(stage=s.stage + 1, soak=NO, gsoak=NO, stl=0))
        if s.trig and not m.shut(s) and s.end != 0:
            for i, t in enumerate(s.tasks):
                if (
                    t.st == INIT
                    and not m.covered(s, t)
                    and m.stage_of[i] <= s.stage
                    and (i >= s.cur or r["cursor"] == "state")
                ):
                    go(f"release {i}", m.due(s._replace(cur=i + 1) if r["cursor"] != "state" else s, i))
                    break
        for i, t in enumerate(s.tasks):
            d = s.devs[i]
            if m.claimable(s, i):
                if s.ctl:
                    m.flag("CLAIM-AFTER-PAUSE an intent is committed after the pause was")
                elif s.cal:
                    m.flag("CLAIM-OUTSIDE-WINDOW an intent is committed while the calendar is shut")
                if m.tripped(s.gring) and not s.ctl:
                    m.flag("OVERSHOOT an intent is committed after the evidence for the rule was")
                if m.out(s) >= m.cap:
                    m.flag("CAP more devices are out than maxInFlight allows")
                if t.dis == 2:
                    m.flag("RESENT-AFTER-OK a new attempt although a success of an earlier one has come")
                if m.covered(s, t):
                    m.flag("SENT-AFTER-CANCEL an intent is committed after cancelTask for all was")
                if s.gs >= m.rate:
                    m.flag("RATE more commands than the rate allows within one tick")
                n = m.put(s, i, st=PUB, att=t.att + 1, sb=1)
                tok = s.tok - 1 if r["grant"] == "split" or i == 0 else s.tok
                go(f"claim {i}", m.dev(n, i, slot=("A", t.att + 1, m.P), ob=1)._replace(tok=tok, gs=s.gs + 1))
            if t.st == Q and t.win == 0 and not m.covered(s, t):
                if m.shut(s) and r["ttl_shut"] == "init" and s.end != 0:
                    go(f"window of {i} ends, shut", m.put(s, i, st=INIT, win=NO, ow=0))
                else:
                    if m.shut(s) and s.end != 0 and not m.covered(s, t):
                        m.flag("ENDED-WHILE-SHUT a waiting task ends by its window although its job lets nothing go")
                    if not m.shut(s) and t.ow < m.W and s.end != 0:
                        m.flag("SHORT-CHANGED a window ends although the job was not open for that long")
                    go(f"window of {i} ends", m.round_failed(s, i, FAIL, 0) if m.ttl0 else m.final(s, i, TTL, unsent=1))
            if t.st == RW and t.rt == 0 and not m.covered(s, t):
                n = m.put(s, i, used=t.used + 1, rt=NO)._replace(spent=s.spent + 1)
                if n.spent > m.budget:
                    m.flag("BUDGET more automatic retries than the job's budget")
                if m.shut(s) and r["retry_shut"] == "init":
                    go(f"retry of {i} due, shut", m.put(n, i, st=INIT))
                elif m.shut(s) and r["retry_shut"] == "refuse":
                    pass
                else:
                    go(f"retry of {i} due", m.due(n, i))
            if m.covered(s, t) and t.st in (INIT, Q, RW, PUB):
                n = s
                if t.st == PUB and d.ob:
                    n = m.put(m.dev(n, i, slot=None, ob=0), i, sb=t.oc)
                go(f"settle {i}", m.final(n, i, CANC))
            if s.end == 0 and t.st in ((INIT, Q, RW) if r["end_ends"] == "waiting" else (Q, RW)):
                go(f"end of job: {i}", m.final(s, i, RSP if t.st == RW else TTL, unsent=t.st != RW))
            if d.slot and d.slot[2] == 0:
                who, a, _ = d.slot
                if d.ob:
                    n = m.not_sent(s, i) if who == "A" else m.dev(s, i, slot=None, ob=0)._replace(b=Q)
                else:
                    n = m.dev(s, i, slot=None, fly=d.fly if m.left(s, "late") else frozenset())
                    if who == "B":
                        n = n._replace(b=RSP)
                    elif t.st == PUB and t.att == a:
                        n = m.round_failed(n, i, RSP, 1)
                go(f"reply deadline of {who}{a} at {i}", n)
            if d.ob and d.pres:
                who, a, l = d.slot
                if who == "A":
                    ok = (
                        (s.end != 0 or r["end_look"] == "no")
                        and (not s.cal or r["cal_look"] == "no")
                        and l > 0
                        and not m.covered(s, t)
                        and t.st == PUB
                        and not t.ok
                    )
                    if ok:
                        if s.ctl:
                            m.flag("SENT-AFTER-PAUSE a command leaves after pauseJob was answered")
                        if s.cal:
                            m.flag("SENT-OUTSIDE-WINDOW a command leaves while the calendar is shut")
                        if s.end == 0:
                            m.flag("SENT-AFTER-END a command leaves at or after endTs")
                        go(f"send A{a} to {i}", m.dev(s, i, ob=0, fly=d.fly | {("A", a)}))
                    else:
                        go(f"withdrawn A{a} at {i}", m.not_sent(s, i))
                else:
                    go(f"send B to {i}", m.dev(s, i, ob=0, fly=d.fly | {("B", a)}))
        if s.b == Q and s.devs[0].pres and s.devs[0].slot is None:
            ahead = s.tasks[0].st == Q and (r["head"] == "block" or m.claimable(s, 0))
            if not ahead:
                go("claim B", m.dev(s, 0, slot=("B", 1, m.P), ob=1)._replace(b=PUB))
            elif m.shut(s):
                m.flag("BLOCKED a command of another job waits behind one whose job is shut")
                go("(blocked)", s)
        if r["node"] == "cached":
            for i in range(m.n):
                if s.cache[i] != s.ctl:
                    c = list(s.cache)
                    c[i] = s.ctl
                    go(f"node of {i} hears of the control", s._replace(cache=tuple(c)))
        if urgent and len(out) == e0:
            m.flag("SPIN something is due and no rule moves it: the engine would run without end")
            go("(spin)", s)
        return out

    def reply(m, s, i, who, a, ok):
        if who == "B":
            return s._replace(b=SUCC if ok else FAIL) if s.b == PUB else s
        t = s.tasks[i]
        if t.st == PUB and t.att == a:
            return m.outcome(m.final(s, i, SUCC), i, 0) if ok else m.round_failed(s, i, FAIL, 1)
        if t.st == INIT and ok and m.r["late_init"] == "ignored":
            return m.put(s, i, dis=2)
        if t.st in (INIT, Q, RW) and ok and not m.covered(s, t):
            return m.outcome(m.put(m.final(s, i, SUCC), i, lt=m.r["late_counts"] == "no"), i, 0)
        if t.st == PUB and ok:
            return m.put(s, i, ok=1)
        return s

    def urgent(m, s):
        if s.pend:
            return True
        for t, d in zip(s.tasks, s.devs):
            if (t.st == Q and t.win == 0) or (t.st == RW and t.rt == 0) or (d.slot and d.slot[2] == 0):
                return True
            if s.end == 0 and t.st in ((INIT, Q, RW) if m.r["end_ends"] == "waiting" else (Q, RW)):
                return True
        return False

    def tick(m, s):
        dec = lambda v: v - 1 if v > 0 else v
        up = 0 if m.shut(s) else 1
        tasks = tuple(
            t._replace(win=dec(t.win), rt=dec(t.rt), ow=min(m.W, t.ow + up) if t.win > 0 else t.ow) for t in s.tasks
        )
        devs = tuple(d._replace(slot=d.slot and (d.slot[0], d.slot[1], dec(d.slot[2]))) for d in s.devs)
        soak = s.soak
        g = s.gsoak
        if not s.ctl:
            soak, g = dec(soak), dec(g)
        return s._replace(tasks=tasks, devs=devs, soak=soak, gsoak=g, end=dec(s.end), tok=m.rate if s.up else 0, gs=0)

    def check(m, s):
        bad = []
        if s.up and not s.pend and m.tripped(s.gring) and not s.ctl:
            bad.append("FORGOTTEN the evidence for the rule is complete and the job goes on")
        for i, t in enumerate(s.tasks):
            if t.st == PUB and not (s.devs[i].slot and s.devs[i].slot[:2] == ("A", t.att)):
                bad.append("NO-REASON a PUBLISHED task without a stored reply deadline")
            if t.st in (Q,) and t.win == NO:
                bad.append("UNBOUNDED a QUEUED task without a window")
        if (
            s.b == Q
            and s.devs[0].pres
            and s.devs[0].slot is None
            and s.tasks[0].st == Q
            and m.shut(s)
            and m.r["head"] == "block"
        ):
            bad.append("BLOCKED a command of another job waits behind one whose job is shut")
        return bad

    # liveness: devices are silent; an operator resumes and asks for the next stage; then every task ends
    ORDER = [
        "restart",
        "calendar opens",
        "rule evaluated",
        "settle",
        "end of job",
        "window of",
        "retry of",
        "reply deadline",
        "withdrawn",
        "send",
        "node of",
        "resumeJob",
        "trigger",
        "release",
        "claim",
        "nextStage arrives",
        "stage",
    ]

    def alone(m, s):
        opts = m.succ(s)
        for p in m.ORDER:
            for l, n, _ in opts:
                if l.startswith(p) and n != s and not l.endswith("lost"):
                    return n
        waiting = any(t.st == INIT and m.stage_of[i] > s.stage for i, t in enumerate(s.tasks))
        busy = any(t.st in (Q, RW, PUB) for t in s.tasks) or any(
            t.st == INIT and m.stage_of[i] <= s.stage for i, t in enumerate(s.tasks)
        )
        if waiting and not busy and s.soak <= 0 and s.trig:
            return s._replace(stage=s.stage + 1, stl=0)
        for l, n, _ in opts:
            if l == "tick":
                return n
        return None

    # no nextStage: present devices answer ok, absent ones stay away, an operator only resumes
    COOP = [
        "restart",
        "calendar opens",
        "resumeJob",
        "rule evaluated",
        "settle",
        "end of job",
        "withdrawn",
        "send",
        "device",
        "window of",
        "retry of",
        "reply deadline",
        "node of",
        "trigger",
        "release",
        "claim",
        "stage",
        "tick",
    ]

    def coop(m, s):
        opts = m.succ(s)
        for p in m.COOP:
            for l, n, _ in opts:
                if l.startswith(p) and n != s and (p != "device" or l.endswith(" ok") and n.env == s.env):
                    return n
        return None

    def stuck(m, s, memo):
        """The gate holds by the ghosts when all has come to rest, and the next stage is not open."""
        path = []
        for _ in range(300):
            if s in memo:
                res = memo[s]
                break
            path.append(s)
            if s.mark or s.end == 0 or s.stage == m.last:
                res = False
                break
            n = m.coop(s)
            if n is None:
                res = bool(s.trig) and all(m.honest(s, s.stage))
                break
            s = n
        else:
            res = True
        for q in path:
            memo[q] = res
        return res

    def settles(m, s, memo):
        path = []
        for _ in range(200):
            if s in memo:
                res = memo[s]
                break
            path.append(s)
            if all(t.st in FINAL for t in s.tasks):
                res = True
                break
            n = m.alone(s)
            if n is None or n == s:
                res = False
                break
            s = n
        else:
            res = False
        for q in path:
            memo[q] = res
        return res

    def run(m, limit=1_500_000, live=True):
        seen = {m.start: None}
        todo = deque([m.start])
        memo = {}
        memo2 = {}
        t0 = time.time()
        trans = 0
        m.passed = m.stall = 0

        def note(what, s, label=None):
            if what not in m.bad:
                m.bad[what] = (s, label)

        while todo:
            s = todo.popleft()
            for b in m.check(s):
                note(b, s)
            if live and not m.settles(s, memo):
                note("NEVER-ENDS a task does not end although the operator resumes and opens every stage", s)
            if m.auto:
                if m.stuck(s, memo2):
                    note("STUCK the gate holds by its text and yet only nextStage opens the next stage", s)
                m.passed += s.stage < m.last and s.soak != NO
                shows = s.trig and s.up and not s.mark and m.stalled(s)
                m.stall += bool(shows)
            for label, n, found in m.succ(s):
                trans += 1
                for t, u in zip(s.tasks, n.tasks):
                    if (
                        t.st in FINAL
                        and u.st != t.st
                        and not (label.startswith("retryTask") and t.st in (FAIL, RSP, TTL))
                    ):
                        note("FINAL-MOVED a final task moves without retryTask", s, label)
                if (
                    m.auto
                    and shows
                    and n.stage == s.stage
                    and not n.mark
                    and not m.stalled(n)
                    and not label.startswith("retryTask")
                ):
                    note(
                        "STALLED-LIES a STALLED stage becomes possible again without a retry by hand or nextStage",
                        s,
                        label,
                    )
                for f in found:
                    note(f, s, label)
                if n not in seen:
                    seen[n] = (s, label)
                    todo.append(n)
            if len(seen) > limit:
                note("(limit reached, exploration incomplete)", s)
                break
        m.nstates, m.trans, m.secs, m.seen = len(seen), trans, time.time() - t0, seen
        return m

    def trace(m, what):
        s, label = m.bad[what]
        out = [label] if label else []
        while m.seen[s]:
            s, l = m.seen[s]
            out.append(l)
        return out[::-1]


class Cluster:
    """Two nodes claim for one job. Exactness without a shared row.

    The owner splits what the rule still allows (K - bad) into shares. A node claims only while its share covers
    everything it has out (held: only while it has any), and reports bad outcomes in its own rows. A share is taken back
    only with the node's word or after its lease; a node stops by itself when its lease is over.
    State: pool, share per node, out per node, bad, lease ticks, cut off.
    """

    RULES = dict(share="reserved", reclaim="after_lease", own_lease="stops", grant="from_pool", out_kept="yes")
    NAIVE = dict(share=["held", "ignored"], reclaim=["at_once"], own_lease=["goes_on"], grant=["full"], out_kept=["no"])

    def __init__(m, K=2, out_max=2, rules=None):
        m.K = K
        m.r = dict(m.RULES)
        m.r.update(rules or {})
        m.out_max = out_max
        m.start = (K, (0, 0), (0, 0), 0, (2, 2), (0, 0))
        m.bad = {}

    def succ(m, s):
        pool, share, out, bad, lease, cut = s
        res = []

        def up(t, i, v):
            l = list(t)
            l[i] = v
            return tuple(l)

        for i in (0, 1):
            if pool and not cut[i] and share[i] < m.K:
                res.append(
                    (
                        f"owner grants {i}",
                        (
                            pool - (1 if m.r["grant"] == "from_pool" else 0),
                            up(share, i, share[i] + 1),
                            out,
                            bad,
                            lease,
                            cut,
                        ),
                        (),
                    )
                )
            alive = lease[i] > 0 or m.r["own_lease"] == "goes_on"
            if (
                out[i] < m.out_max
                and alive
                and (share[i] > (out[i] if m.r["share"] == "reserved" else 0) or m.r["share"] == "ignored")
            ):
                f = ("OVERSHOOT a node claims after the evidence for the rule was complete",) if bad >= m.K else ()
                res.append((f"node {i} claims", (pool, share, up(out, i, out[i] + 1), bad, lease, cut), f))
            if out[i]:
                o = up(out, i, out[i] - 1)
                res.append((f"node {i} stores a good outcome", (pool, share, o, bad, lease, cut), ()))
                sh = up(share, i, max(0, share[i] - 1))
                res.append(
                    (
                        f"node {i} stores a bad outcome",
                        (pool if share[i] else max(0, pool - 1), sh, o, min(bad + 1, m.K + 2), lease, cut),
                        (),
                    )
                )
            if lease[i] > 0:
                res.append((f"lease of {i} runs", (pool, share, out, bad, up(lease, i, lease[i] - 1), cut), ()))
            if not cut[i]:
                res.append((f"node {i} is cut off", (pool, share, out, bad, lease, up(cut, i, 1)), ()))
            if not cut[i] and lease[i] < 2:
                res.append((f"lease of {i} renewed", (pool, share, out, bad, up(lease, i, 2), cut), ()))
            if cut[i] and share[i] and (lease[i] == 0 or m.r["reclaim"] == "at_once"):
                keep = m.r["reclaim"] == "at_once" or m.r["own_lease"] == "goes_on"
                free = (
                    max(0, share[i] - out[i])
                    if m.r["reclaim"] == "after_lease" and m.r["out_kept"] == "yes"
                    else share[i]
                )  # what is out may still turn bad
                if free and pool + free <= m.K:
                    res.append(
                        (
                            f"owner takes back {free} of {i}",
                            (pool + free, share if keep else up(share, i, share[i] - free), out, bad, lease, cut),
                            (),
                        )
                    )
        return res

    def run(m):
        seen = {m.start: None}
        todo = deque([m.start])
        while todo:
            s = todo.popleft()
            for l, n, f in m.succ(s):
                for x in f:
                    m.bad.setdefault(x, (s, l))
                if n not in seen:
                    seen[n] = (s, l)
                    todo.append(n)
        m.seen = seen
        return m

    trace = Model.trace


E = dict
# (name, arguments, liveness)
PROPOSED = [
    (
        "2 devices 2 stages, rule 1/1, retry, pause 1, crash 1, late 1",
        E(stages=(0, 1), retry=1, rule=(1, 1), env=E(pause=1, crash=1, late=1)),
        True,
    ),
    (
        "2 devices 2 stages, rule 2/3, retry 1, pause 1, crash 1",
        E(stages=(0, 1), retry=1, rule=(2, 3), env=E(pause=1, crash=1)),
        True,
    ),
    (
        "2 devices 2 stages, pause 2, cancel-all 1, crash 1, cancelTask 1",
        E(stages=(0, 1), env=E(pause=2, crash=1, cancel=1, one=1)),
        True,
    ),
    (
        "2 devices 2 stages, ttl 0, link lost 1, retry 1, pause 1, crash 1",
        E(stages=(0, 1), retry=1, ttl0=True, env=E(pause=1, crash=1, disc=1)),
        True,
    ),
    (
        "2 devices 1 stage, retryTask 1, pause 1, cancel-all 1",
        E(stages=(0, 0), env=E(pause=1, retry=1, cancel=1)),
        True,
    ),
    (
        "2 devices 2 stages, retryTask 1, pause 1, late 1, rule 1/1",
        E(stages=(0, 1), rule=(1, 1), env=E(pause=1, retry=1, late=1)),
        True,
    ),
    ("2 devices 2 stages, calendar 2, pause 1, crash 1", E(stages=(0, 1), env=E(pause=1, cal=2, crash=1)), True),
    (
        "2 devices 2 stages, endTs 4, retry, pause 1, calendar 1",
        E(stages=(0, 1), retry=1, end=4, env=E(pause=1, cal=1)),
        True,
    ),
    (
        "2 devices 2 stages, job B behind, pause 1, crash 1, calendar 1",
        E(stages=(0, 1), b=True, env=E(pause=1, crash=1, cal=1)),
        True,
    ),
    ("3 devices 2 stages, rule 1/2, pause 1", E(stages=(0, 1, 1), rule=(1, 2), env=E(pause=1)), True),
    (
        "3 devices 2 stages, maxInFlight 1, cancelTask 1, crash 1",
        E(stages=(0, 1, 1), cap=1, env=E(one=1, crash=1)),
        True,
    ),
    ("3 devices 3 stages, nextStage 2", E(stages=(0, 1, 2), env=E(next=2)), False),
    (
        "2 devices 1 stage, rate 1, crash 1, pause 1, retry 1",
        E(stages=(0, 0), rate=1, retry=1, env=E(crash=1, pause=1)),
        True,
    ),
    ("2 devices 1 stage, retry budget 1, retry 2", E(stages=(0, 0), retry=2, budget=1, env=E(pause=1)), True),
    (
        "3 devices 2 stages, rule 2/3, retry 1, pause 1",
        E(stages=(0, 1, 1), retry=1, rule=(2, 3), env=E(pause=1)),
        False,
    ),
    (
        "2 devices 2 stages, all at once: rule, retry, pause, crash, cancel, late",
        E(stages=(0, 1), retry=1, rule=(1, 2), cap=1, env=E(pause=1, crash=1, cancel=1, late=1)),
        False,
    ),
    (
        "2 devices 2 stages, rule 1/1 action CANCEL, retry, pause 1, crash 1",
        E(stages=(0, 1), retry=1, rule=(1, 1), action="CANCEL", env=E(pause=1, crash=1)),
        True,
    ),
]
CASES = [
    ("gate_claim", "release", E(stages=(0, 1), env=E(pause=1))),
    ("withdraw", "no", E(stages=(0, 1), env=E(pause=1))),
    ("ttl_shut", "expire", E(stages=(0, 1), env=E(pause=1))),
    ("retry_shut", "normal", E(stages=(0, 1), retry=1, ttl0=True, env=E(pause=1, disc=1))),
    ("retry_shut", "refuse", E(stages=(0, 1), retry=1, env=E(pause=1))),
    ("cursor", "forward", E(stages=(0, 1), env=E(pause=1))),
    ("eval", "poll", E(stages=(0, 0), rule=(1, 2), env=E())),
    ("ring", "memory", E(stages=(0, 0), rule=(2, 2), env=E(crash=1))),
    ("resume_ring", "keep", E(stages=(0, 0), rule=(1, 2), env=E())),
    ("soak", "run_on", E(stages=(0, 1), soak=2, env=E(pause=1))),
    ("adv_paused", "yes", E(stages=(0, 1), env=E(pause=1))),
    ("next", "blind", E(stages=(0, 1, 2), env=E(next=1))),
    ("cancel_ctl", "kept", E(stages=(0,), env=E(pause=1, cancel=1, retry=1))),
    ("cap", "tasks", E(stages=(0, 0), cap=1, reply=2, env=E(one=1))),
    ("tok_restart", "full", E(stages=(0, 0), rate=1, env=E(crash=1))),
    ("grant", "each", E(stages=(0, 0), rate=1, env=E())),
    ("budget", "spent", E(stages=(0, 0), retry=1, budget=1, env=E())),
    ("head", "block", E(stages=(0, 1), b=True, env=E(pause=1))),
    ("end_look", "no", E(stages=(0, 1), end=1, reply=2, env=E())),
    ("end_ends", "released", E(stages=(0, 1), end=2, env=E())),
    ("cal_look", "no", E(stages=(0, 1), env=E(cal=1))),
    ("node", "cached", E(stages=(0, 0), env=E(pause=1))),
    ("late_init", "ignored", E(stages=(0,), retry=1, env=E(pause=1, late=1))),
    ("resume_cancel", "clears_mark", E(stages=(0, 1), env=E(pause=1, cancel=1))),
    ("stage_counts", "outcomes", E(stages=(0, 1, 2), env=E())),
    ("window_open", "runs_on", E(stages=(0, 1), env=E(pause=1))),
    ("trig_paused", "releases", E(stages=(0, 1), env=E(pause=1))),
]
GATE = [  # the gate's own runs; auto: also checks that no nextStage is needed while the gate holds
    (
        "canary 2, one away for ever, 50/100, retry 1, pause 1, crash 1",
        E(stages=(0, 0, 1), rp=50, sp=100, away=(1,), retry=1, env=E(pause=1, crash=1), auto=True),
        True,
    ),
    (
        "canary 2, one absent at first, 50/100, pause 1",
        E(stages=(0, 0, 1), rp=50, sp=100, absent=(1,), env=E(pause=1), auto=True),
        True,
    ),
    (
        "canary 3, one away, 60/100, retryTask 1",
        E(stages=(0, 0, 0, 1), rp=60, sp=100, away=(2, 3), env=E(retry=1), auto=True),
        True,
    ),
    (
        "canary 2, one away, ttl 0, retry 1, 50/50, retryTask 1",
        E(stages=(0, 0, 1), rp=50, sp=50, away=(1, 2), ttl0=True, retry=1, env=E(retry=1), auto=True),
        True,
    ),
    (
        "canary 2, link lost 1, retry 1, 50/100 (failed, then away)",
        E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), retry=1, env=E(disc=1), auto=True),
        True,
    ),
    (
        "canary 2, both away, defaults 80/90, retryTask 1, nextStage 1",
        E(stages=(0, 0, 1), away=(0, 1), env=E(retry=1, next=1), auto=True),
        True,
    ),
    (
        "canary 2, all away, 80/90, pause 1, crash 1, cancelTask 1",
        E(stages=(0, 0, 1), away=(0, 1, 2), env=E(pause=1, crash=1, one=1), auto=True),
        True,
    ),
    (
        "canary 1, defaults, retryTask 1, late 1, nextStage 1",
        E(stages=(0, 1), env=E(retry=1, late=1, next=1), auto=True),
        True,
    ),
    (
        "canary 1 absent at first, retryTask 1, late 1, retry 1",
        E(stages=(0, 1), absent=(0,), retry=1, env=E(retry=1, late=1), auto=True),
        True,
    ),
    (
        "canary 2, 50/100, retryTask 1, cancelTask 1",
        E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(retry=1, one=1), auto=True),
        True,
    ),
    (
        "canary 2, 50/100, retryTask 1, late 1",
        E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(retry=1, late=1), auto=True),
        True,
    ),
    (
        "canary 2, 100/100, device deleted 1, retry 1, pause 1",
        E(stages=(0, 0, 1), rp=100, sp=100, away=(2,), retry=1, env=E({"del": 1}, pause=1), auto=True),
        True,
    ),
    (
        "canary 2, 50/100, device deleted 1, retryTask 1",
        E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E({"del": 1}, retry=1), auto=True),
        True,
    ),
    (
        "canary 2, 0/0 (no gate), one away, pause 1, cancelTask 1, calendar 1",
        E(stages=(0, 0, 1), rp=0, sp=0, away=(1,), env=E(pause=1, one=1, cal=1), auto=True),
        True,
    ),
    (
        "canary 2, 100/0 (whatever the result), retry 1, pause 1",
        E(stages=(0, 0, 1), rp=100, sp=0, away=(2,), retry=1, env=E(pause=1), auto=True),
        True,
    ),
    (
        "canary 2, 50/100, soak 2, cancel-all 1, retryTask 1, pause 1",
        E(stages=(0, 0, 1), rp=50, sp=100, soak=2, away=(1, 2), env=E(pause=1, cancel=1, retry=1), auto=True),
        True,
    ),
    (
        "canary 2, 50/100, rule 1/2, pause 1, crash 1",
        E(stages=(0, 0, 1), rp=50, sp=100, rule=(1, 2), away=(2,), env=E(pause=1, crash=1), auto=True),
        True,
    ),
    (
        "3 stages of 1, 1 and 1, canary away, nextStage 1, retryTask 1",
        E(stages=(0, 1, 2), away=(0,), env=E(next=1, retry=1), auto=True),
        True,
    ),
]
GATECASES = [
    ("denom", "size", E(stages=(0, 0, 1), rp=50, sp=100, away=(1,), auto=True)),
    ("denom", "less_cancelled", E(stages=(0, 0, 1), rp=100, sp=100, away=(1,), env=E(one=1), auto=True)),
    ("denom", "reached", E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(), auto=True)),
    ("sent", "withdrawn", E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(disc=1, one=1), auto=True)),
    ("sent", "not_cancelled", E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(one=1), auto=True)),
    ("sent", "cleared", E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), env=E(retry=1), auto=True)),
    ("gate_end", "begin_only", E(stages=(0, 0, 1), rp=50, sp=100, away=(2,), absent=(1,), env=E(), auto=True)),
    ("reach", "literal", E(stages=(0, 0, 1), rp=100, sp=50, away=(2,), retry=1, env=E(disc=1), auto=True)),
    ("reach", "rw_state", E(stages=(0, 0, 1), rp=100, sp=50, away=(2,), retry=1, env=E(disc=1), auto=True)),
    ("reach", "unsent", E(stages=(0, 0, 1), rp=100, sp=50, away=(1,), env=E(), auto=True)),
    ("reach", "unsent", E(stages=(0, 1), sp=0, away=(0,), env=E(), auto=True)),
    ("reach", "cancelled", E(stages=(0, 0, 1), rp=100, sp=50, away=(2,), env=E(one=1), auto=True)),
    ("late_counts", "no", E(stages=(0, 1), retry=1, env=E(late=1), auto=True)),
    ("zero", "at_once", E(stages=(0, 1), rp=0, sp=0, env=E(), auto=True)),
    ("zero", "at_once", E(stages=(0, 1), rp=0, sp=90, env=E(), auto=True)),
    ("stalled", "stored", E(stages=(0, 1), env=E(retry=1), auto=True)),
    ("stalled", "no_init", E(stages=(0, 1), env=E(pause=1), auto=True)),
    ("stalled", "no_retry", E(stages=(0, 1), retry=1, env=E(), auto=True)),
    ("stage_counts", "outcomes", E(stages=(0, 1, 2), env=E(), auto=True)),
]


def one(c):
    name, kw, live = c
    m = Model(**kw).run(live=live)
    return name, live, m.nstates, m.trans, m.secs, [(b, m.trace(b)) for b in m.bad], m.passed, m.stall


def flip(c):
    rule, naive, kw = c
    good = Model(**kw).run(limit=400_000)
    bad = Model(rules={rule: naive}, **kw).run(limit=400_000)
    return (
        rule,
        naive,
        good.nstates,
        bad.nstates,
        [(b, good.trace(b)) for b in good.bad],
        [(b, bad.trace(b)) for b in bad.bad if b not in good.bad],
    )


def proposed(runs):
    total = tt = 0
    for name, live, n, tr, secs, bad, ps, st in map(one, runs):
        total += n
        tt += tr
        print(
            f"{name:75s} {n:>9,} states {tr:>10,} transitions {secs:5.0f} s  liveness {'yes' if live else '-'}"
            + (f"  passed in {ps:,}, STALLED in {st:,}" if ps or st else ""),
            flush=True,
        )
        for b, t in bad:
            print("     VIOLATED:", b, "|", " > ".join(t) if len(t) < 60 else "(long)", flush=True)
    print(f"total {total:,} states, {tt:,} transitions, {len(runs)} runs", flush=True)


def flips(cases):
    for rule, naive, a, b, gb, new in map(flip, cases):
        print(f"\n## {rule}: {RULES[rule]} -> {naive}   ({a} / {b} states)", flush=True)
        for x, tr in gb:
            print("   ALSO WITH THE PROPOSED RULES:", x, " > ".join(tr))
        if not new:
            print("   NO NEW VIOLATION")
        for x, tr in new:
            print("   ", x, "\n        ", " > ".join(tr), flush=True)


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    words = sys.argv[2:]
    pick = lambda l: [c for c in l if not words or any(w in c[0] for w in words)]
    if what in ("gateflips", "all"):
        flips(pick(GATECASES))
    if what in ("gate", "all"):
        proposed(pick(GATE))
    if what in ("flips", "all"):
        flips(pick(CASES))
    if what in ("cluster", "all"):
        c = Cluster().run()
        print(f"\ncluster, proposed: {len(c.seen)} states", [(b, c.trace(b)) for b in c.bad] or "no violation")
        for k, vs in Cluster.NAIVE.items():
            for v in vs:
                c = Cluster(rules={k: v}).run()
                print(
                    f"cluster {k} -> {v} ({len(c.seen)} states)",
                    [(b, " > ".join(c.trace(b))) for b in c.bad] or "NO NEW VIOLATION",
                    flush=True,
                )
    if what in ("proposed", "all"):
        proposed(pick(PROPOSED))
