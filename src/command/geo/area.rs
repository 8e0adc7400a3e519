//! Areas to search, and the cells that cover them.

use super::hash::{Bounds, Cell, EARTH_RADIUS, Position, STEPS, degrees, latitude_distance, radians};

/// Half the equator in the Web Mercator projection, in metres.
const MERCATOR_MAX: f64 = 20037726.37;

/// A figure around a centre, measured in metres.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// An area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) centre: Position,
    pub(super) shape: Shape,
}

impl Area {
    /// Metres from the centre to a place inside; none for a place outside.
    pub(super) fn distance_inside(&self, place: Position) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                Some(self.centre.distance(place)).filter(|distance| *distance <= radius)
            }
            Shape::Box { width, height } => {
                let north = latitude_distance(place.latitude, self.centre.latitude);
                let below = Position { longitude: self.centre.longitude, latitude: place.latitude };
                let inside = north <= height / 2.0 && place.distance(below) <= width / 2.0;
                inside.then(|| self.centre.distance(place))
            }
        }
    }

    /// The cell of the centre and those around it which the area may reach, in the order in which Redis looks at them:
    /// it is that of results that are not sorted.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut steps = self.steps();
        if steps > 1 && !reaches(Cell::of(self.centre, steps), &bounds) {
            steps -= 1;
        }
        let centre = Cell::of(self.centre, steps);
        let own = centre.bounds();
        let is_needed = |east: i32, north: i32| {
            steps < 2
                || !((north < 0 && own.south < bounds.south)
                    || (north > 0 && own.north > bounds.north)
                    || (east < 0 && own.west < bounds.west)
                    || (east > 0 && own.east > bounds.east))
        };
        let around = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let needed = around.into_iter().filter(|&(east, north)| is_needed(east, north));
        let mut cells: Vec<Cell> = needed.map(|(east, north)| centre.neighbour(east, north)).collect();
        // Around a coarse grid the same cell may come twice in a row.
        cells.dedup();
        cells
    }

    /// Half the height and half the width.
    fn halves(&self) -> (f64, f64) {
        match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (height / 2.0, width / 2.0),
        }
    }

    fn bounds(&self) -> Bounds {
        let Position { longitude, latitude } = self.centre;
        let (height, width) = self.halves();
        let up = degrees(height / EARTH_RADIUS);
        // Meridians come closer towards the poles: the edge that is nearer to one decides.
        let edge = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = degrees(width / EARTH_RADIUS / radians(edge).cos());
        Bounds {
            west: longitude - aside,
            east: longitude + aside,
            south: latitude - up,
            north: latitude + up,
        }
    }

    /// Steps of the grid whose cells are about as large as the area.
    fn steps(&self) -> u32 {
        let mut reach = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        if reach == 0.0 {
            return STEPS;
        }
        let mut steps = 1i32;
        while reach < MERCATOR_MAX {
            reach *= 2.0;
            steps += 1;
        }
        let latitude = self.centre.latitude.abs();
        // Two, so that a cell and its neighbours hold the area in any case; more where cells are narrow.
        steps -= 2 + i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }
}

/// Whether a cell's neighbours reach as far as the bounds on each side.
fn reaches(cell: Cell, bounds: &Bounds) -> bool {
    cell.neighbour(0, 1).bounds().north >= bounds.north
        && cell.neighbour(0, -1).bounds().south <= bounds.south
        && cell.neighbour(1, 0).bounds().east >= bounds.east
        && cell.neighbour(-1, 0).bounds().west <= bounds.west
}
