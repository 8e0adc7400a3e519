//! The arguments of a search.

use super::area::{Area, Shape};
use super::hash::Position;
use super::{position, unit};
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_f64, parse_i64};
use crate::value::zset::{ZRef, ZSet};

const NO_MEMBER: &str = "ERR could not decode requested zset member";

/// Which command of the family it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// GEOSEARCH and GEOSEARCHSTORE.
    Search { stores: bool },
    /// GEORADIUS; `_RO` stores nothing.
    Radius { may_store: bool },
    /// GEORADIUSBYMEMBER; `_RO` stores nothing.
    ByMember { may_store: bool },
}

/// In which order results come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are found.
    Found,
    Nearest,
    Farthest,
}

/// A search.
pub(super) struct Query {
    /// The argument of the key that is searched.
    pub(super) source: usize,
    /// The key exists.
    pub(super) exists: bool,
    pub(super) centre: Option<Position>,
    pub(super) shape: Option<Shape>,
    /// Metres of the unit in which distances are shown.
    pub(super) metres: f64,
    pub(super) order: Order,
    /// Results at most.
    pub(super) count: Option<usize>,
    /// The first results that are found will do.
    pub(super) any: bool,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_position: bool,
    /// The argument of the key that the results are stored under.
    pub(super) store: Option<usize>,
    /// Distances are stored as scores.
    pub(super) store_distance: bool,
    by_member: bool,
}

/// What went wrong, as the text to reply.
pub(super) type Parsed<T> = Result<T, String>;

impl Query {
    /// Reads the arguments, in Redis's order of complaints.
    pub(super) fn parse(ctx: &Ctx<'_>, form: Form) -> Parsed<Query> {
        let source = if form == (Form::Search { stores: true }) { 2 } else { 1 };
        let found = ctx.space.read_as::<ZSet, ()>(ctx.key(source), |_: ZRef<'_>| ());
        let exists = found.map_err(|_| error::WRONGTYPE)?.is_some();
        let mut query = Query::new(source, exists);
        let first = query.fixed(ctx, form)?;
        query.options(ctx, form, first)?;
        query.check(ctx, form)?;
        Ok(query)
    }

    fn new(source: usize, exists: bool) -> Query {
        Query {
            source,
            exists,
            centre: None,
            shape: None,
            metres: 1.0,
            order: Order::Found,
            count: None,
            any: false,
            with_distance: false,
            with_hash: false,
            with_position: false,
            store: None,
            store_distance: false,
            by_member: false,
        }
    }

    /// Reads the arguments at fixed places; where the others begin.
    fn fixed(&mut self, ctx: &Ctx<'_>, form: Form) -> Parsed<usize> {
        match form {
            Form::Search { stores } => {
                self.store = stores.then_some(1);
                Ok(self.source + 1)
            }
            Form::Radius { .. } => {
                self.centre = Some(position(ctx.arg(2), ctx.arg(3))?);
                self.circle(ctx, 4)?;
                Ok(6)
            }
            Form::ByMember { .. } => {
                if self.exists {
                    self.at_member(ctx, ctx.arg(2))?;
                    self.circle(ctx, 3)?;
                }
                Ok(5)
            }
        }
    }

    fn circle(&mut self, ctx: &Ctx<'_>, at: usize) -> Parsed<()> {
        let radius = parse_f64(ctx.arg(at)).ok_or("ERR need numeric radius")?;
        if radius < 0.0 {
            return Err("ERR radius cannot be negative".into());
        }
        self.metres = unit(ctx.arg(at + 1))?;
        self.shape = Some(Shape::Circle { radius: radius * self.metres });
        Ok(())
    }

    fn rectangle(&mut self, ctx: &Ctx<'_>, at: usize) -> Parsed<()> {
        let width = parse_f64(ctx.arg(at)).ok_or("ERR need numeric width")?;
        let height = parse_f64(ctx.arg(at + 1)).ok_or("ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err("ERR height or width cannot be negative".into());
        }
        self.metres = unit(ctx.arg(at + 2))?;
        self.shape = Some(Shape::Box { width: width * self.metres, height: height * self.metres });
        Ok(())
    }

    /// Takes a member's place as the centre. Of an absent key all members pass until the other arguments are read.
    fn at_member(&mut self, ctx: &Ctx<'_>, member: &[u8]) -> Parsed<()> {
        self.by_member = true;
        if self.exists {
            let score = ctx.space.peek_as::<ZSet, _>(ctx.key(self.source), |set| set.score(member));
            let score = score.map_err(|_| error::WRONGTYPE)?.flatten().ok_or(NO_MEMBER)?;
            self.centre = Some(Position::of_score(score));
        }
        Ok(())
    }

    fn options(&mut self, ctx: &Ctx<'_>, form: Form, first: usize) -> Parsed<()> {
        let mut at = first;
        while at < ctx.args.len() {
            let left = ctx.args.len() - at - 1;
            at += 1 + match self.flag(ctx.arg(at)) {
                true => 0,
                false if is_search(form) => self.search_option(ctx, form, at, left)?,
                false => self.radius_option(ctx, form, at, left)?,
            };
        }
        Ok(())
    }

    /// Takes an option of a single word.
    fn flag(&mut self, word: &[u8]) -> bool {
        let flags: [(&[u8], &mut bool); 4] = [
            (b"withdist", &mut self.with_distance),
            (b"withhash", &mut self.with_hash),
            (b"withcoord", &mut self.with_position),
            (b"any", &mut self.any),
        ];
        if let Some((_, flag)) = flags.into_iter().find(|(name, _)| eq_ignore_case(word, name)) {
            *flag = true;
            return true;
        }
        let order = match () {
            () if eq_ignore_case(word, b"asc") => Order::Nearest,
            () if eq_ignore_case(word, b"desc") => Order::Farthest,
            () => return false,
        };
        self.order = order;
        true
    }

    /// Takes COUNT; how many words it has behind its own.
    fn count(&mut self, ctx: &Ctx<'_>, at: usize, left: usize) -> Parsed<usize> {
        if left < 1 || !eq_ignore_case(ctx.arg(at), b"count") {
            return Err(error::SYNTAX.into());
        }
        let count = parse_i64(ctx.arg(at + 1)).ok_or(error::NOT_AN_INTEGER)?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or("ERR COUNT must be > 0")?;
        self.count = Some(count);
        Ok(1)
    }

    fn radius_option(&mut self, ctx: &Ctx<'_>, form: Form, at: usize, left: usize) -> Parsed<usize> {
        let may_store = matches!(form, Form::Radius { may_store: true } | Form::ByMember { may_store: true })
            && left >= 1;
        let distance = eq_ignore_case(ctx.arg(at), b"storedist");
        if may_store && (distance || eq_ignore_case(ctx.arg(at), b"store")) {
            (self.store, self.store_distance) = (Some(at + 1), distance);
            return Ok(1);
        }
        self.count(ctx, at, left)
    }

    fn search_option(&mut self, ctx: &Ctx<'_>, form: Form, at: usize, left: usize) -> Parsed<usize> {
        let word = ctx.arg(at);
        let by_place = self.centre.is_some() && !self.by_member;
        let (is_box, is_circle) =
            (matches!(self.shape, Some(Shape::Box { .. })), matches!(self.shape, Some(Shape::Circle { .. })));
        if left >= 1 && !by_place && eq_ignore_case(word, b"frommember") {
            self.at_member(ctx, ctx.arg(at + 1))?;
            Ok(1)
        } else if left >= 2 && !self.by_member && eq_ignore_case(word, b"fromlonlat") {
            self.centre = Some(position(ctx.arg(at + 1), ctx.arg(at + 2))?);
            Ok(2)
        } else if left >= 2 && !is_box && eq_ignore_case(word, b"byradius") {
            self.circle(ctx, at + 1)?;
            Ok(2)
        } else if left >= 3 && !is_circle && eq_ignore_case(word, b"bybox") {
            self.rectangle(ctx, at + 1)?;
            Ok(3)
        } else if form == (Form::Search { stores: true }) && eq_ignore_case(word, b"storedist") {
            self.store_distance = true;
            Ok(0)
        } else {
            self.count(ctx, at, left)
        }
    }

    fn check(&mut self, ctx: &Ctx<'_>, form: Form) -> Parsed<()> {
        let shows = self.with_distance || self.with_hash || self.with_position;
        if self.store.is_some() && shows {
            let what = if is_search(form) { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ));
        }
        let name = String::from_utf8_lossy(ctx.arg(0));
        if is_search(form) && self.centre.is_none() && !self.by_member {
            return Err(format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"));
        }
        if is_search(form) && self.shape.is_none() {
            return Err(format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"));
        }
        if self.any && self.count.is_none() {
            return Err("ERR the ANY argument requires COUNT argument".into());
        }
        if self.count.is_some() && self.order == Order::Found && !self.any {
            self.order = Order::Nearest;
        }
        Ok(())
    }

    /// The area, of a key that exists.
    pub(super) fn area(&self) -> Option<Area> {
        self.centre.zip(self.shape).map(|(centre, shape)| Area { centre, shape })
    }
}

fn is_search(form: Form) -> bool {
    matches!(form, Form::Search { .. })
}
